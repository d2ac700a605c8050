"""What the other commands need first: the environment, the browsers, pinned downloads and the cache that keeps them.

Also the question whether a package that the locks name has a known fault.

`environment.py` runs before any package is installed and imports the standard library alone.
"""
