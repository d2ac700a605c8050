"""Replaces Pyodide's package installer. The worker unpacks packages before Python starts."""

from site import getsitepackages
from typing import override


class _Folder:
    """A path that Pyodide converts to text; importing `pathlib` would take a fortieth of the start-up time."""

    def __init__(self, path: str) -> None:
        self._path = path

    @override
    def __str__(self) -> str:
        return self._path


SITE_PACKAGES = _Folder(getsitepackages()[0])
DSO_DIR = _Folder("/usr/lib")


def init_loaded_packages() -> None:
    """Does nothing: there are no packages marked by an installer."""
