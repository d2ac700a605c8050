"""The page's files: only those that the build's manifest lists are served."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from takeback.errors import SettingsError
from takeback.registry.http.content_encoding import choose

TYPES: Final = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
        ".zip": "application/zip",
    }
)
"""Content types by file extension; the system's own table differs between machines."""
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
"""Content codings and their file extensions, the best first."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the page, and its compressed versions by content coding."""

    path: Path
    content_type: str
    encodings: tuple[tuple[str, Path], ...]

    def best(self, accept_encoding: str) -> tuple[str, Path]:
        """The content coding and the path to send to a browser with this `Accept-Encoding`."""
        there = dict(self.encodings)
        name = choose(accept_encoding, list(there))
        return name, there.get(name, self.path)


class _Listed(msgspec.Struct):
    path: str
    size: int


class _Manifest(msgspec.Struct):
    files: list[_Listed]


class Page:
    """The files in `folder`, by the path of their URL. Raises `SettingsError` if it holds no complete page."""

    def __init__(self, folder: Path) -> None:
        self.files = _files(folder)

    def find(self, path: str) -> File | None:
        """The file at `path`, or `None` if the manifest does not list it."""
        return self.files.get(path)


async def read(path: Path) -> bytes:
    """The file's bytes, read in a thread so that other requests do not wait."""
    return await asyncio.to_thread(path.read_bytes)


def _files(folder: Path) -> Mapping[str, File]:
    manifest = folder / "manifest.json"
    try:
        listed = msgspec.json.decode(manifest.read_bytes(), type=_Manifest).files
    except FileNotFoundError as error:
        raise SettingsError(f"there is no page in {folder}; build it first: python3 build.py build") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(f"cannot read {manifest}; build the page again: python3 build.py build") from error
    root = folder.resolve()
    files = {f"/{one.path.lstrip('/')}": _file(root, one) for one in listed}
    files["/manifest.json"] = _file_at(manifest)
    if "/index.html" not in files:
        raise SettingsError(f"{manifest} lists no index.html; build the page again: python3 build.py build")
    return {"/": files["/index.html"], **files}


def _file(root: Path, listed: _Listed) -> File:
    path = (root / listed.path.lstrip("/")).resolve()
    # After `resolve`, so that neither `..` nor a link in the page's folder leads to a file outside it.
    if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size != listed.size:
        text = f"{listed.path} in {root} differs from the manifest; build the page again: python3 build.py build"
        raise SettingsError(text)
    return _file_at(path)


def _file_at(path: Path) -> File:
    beside = [(name, path.with_name(path.name + ending)) for name, ending in _ENCODINGS]
    content_type = TYPES.get(path.suffix, "application/octet-stream")
    return File(path, content_type, tuple((name, other) for name, other in beside if other.is_file()))
