"""Takeback stops an intimate picture of a young person from spreading, without showing it to anyone.

`hashing` turns the bytes of a picture into signals. It is the shared core: the same files run in CPython and, through
Pyodide, inside the sealed worker of the page.

`registry` is the server: it keeps cases, publishes the feed of signals to platforms, and cannot read a picture.

`gate` runs at a platform: it follows the feed, keeps the index, and decides about each upload.

`protocol` defines the messages between them (PROTOCOL.md); `signals` and `errors` are used by all.
"""

__version__ = "0.1.0"


def how_to_install(extra: str) -> str:
    """How to install the optional part `extra`: from a clone or a file, because no package index carries Takeback."""
    return f"pip install '.[{extra}]' in a clone of the repository, or 'FILE.whl[{extra}]'"
