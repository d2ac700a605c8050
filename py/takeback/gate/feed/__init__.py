"""Following the registry's feed: the HTTP client, the checks of every page, and the state on disk.

`follow.py` is pure and makes the decisions; only `client.py` uses HTTP, and only `state.py` uses SQL. This room may
import `index` for the type of a row. The service calls all three.
"""
