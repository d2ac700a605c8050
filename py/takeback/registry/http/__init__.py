"""The registry over HTTP: routes, answers and headers, and the documents that describe them.

A module reads strict requests and writes answers; what is kept and who may do what is asked of `storage`, `security`
and `keys`. The doors are `app.py`, which has the routes, and `site.py`, which adds the page's files and the headers.
"""
