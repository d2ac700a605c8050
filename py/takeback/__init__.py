"""Takeback stops an intimate picture of a young person from spreading, without showing it to anyone.

`hashing` turns the bytes of a picture into signals. It is the shared core: the same files run in CPython
and, through Pyodide, inside the sealed worker of the page.

`registry` is the server: it keeps cases, publishes the feed of signals to platforms, and cannot read a picture.

`gate` runs at a platform: it follows the feed, keeps the index, and decides about each upload.

`protocol` is what they say to each other (PROTOCOL.md), `signals` and `errors` are the words they share.
"""

__version__ = "0.1.0"
