"""The registry's HTTP interface: routes, answers and headers, and the documents that describe them.

These modules parse requests strictly and write answers. They leave storage and permissions to `storage`, `security` and
`keys`. The entry points are `app.py`, which has the routes, and `site.py`, which adds the page's files and the headers.
"""
