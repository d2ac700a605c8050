"""What the other commands need first: the environment, the browsers, pinned downloads and the cache that keeps them.

Also what keeps that up to date: the locks' parts, and the question whether a locked package has a known fault.

`environment.py` runs before any package is installed and imports the standard library alone.
"""
