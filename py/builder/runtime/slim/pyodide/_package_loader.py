"""Stands in for Pyodide's installer of packages. The worker writes them where they belong before Python starts."""

from site import getsitepackages
from typing import override


class _Folder:
    """A path that Pyodide asks for its text; `pathlib` would take a fortieth of the start."""

    def __init__(self, path: str) -> None:
        self._path = path

    @override
    def __str__(self) -> str:
        return self._path


SITE_PACKAGES = _Folder(getsitepackages()[0])
DSO_DIR = _Folder("/usr/lib")


def init_loaded_packages() -> None:
    """Finds no packages that an installer would have marked."""
