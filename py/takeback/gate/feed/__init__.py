"""Following the registry's feed: the HTTP client, the checks of every page, and what is kept of it on the disk.

`follow.py` decides and touches nothing; `client.py` has the only HTTP, `state.py` the only SQL. It may import `index`
for the rows that it keeps. The service calls all three.
"""
