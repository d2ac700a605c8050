"""Takeback stops an intimate picture of a young person from spreading, without showing it to anyone.

`hashing` turns the bytes of a picture into signals. It is the shared core: the same files run in CPython and, through
Pyodide, inside the sealed worker of the page.

`registry` is the server: it keeps cases, publishes the feed of signals to platforms, and cannot read a picture.

`gate` runs at a platform: it follows the feed, keeps the index, and decides about each upload.

`verify` compares what a site serves with a release of the page.

`protocol` defines the messages between them (PROTOCOL.md); `signals` and `errors` are used by all.

The public API is what `takeback.gate`, `takeback.hashing` and `takeback.errors` name in their `__all__`, and
`__version__`; API.md describes it. Everything else is private and may change in any release.
"""

__version__ = "0.2.0"


def how_to_install(extra: str) -> str:
    """How to install the optional part `extra`: from a file or a clone, because no package index carries Takeback."""
    return f"pip install 'FILE.whl[{extra}]' with the wheel of a release, or '.[{extra}]' in a clone of the repository"
