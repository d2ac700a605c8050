"""What the other commands need first: the environment, the browsers, pinned downloads and their cache.

`audit.py` asks whether any locked package has a known vulnerability. `environment.py` runs before any package is
installed and imports only the standard library.
"""
