"""The tus uploads that have begun: their bytes so far, by the address that the application gave each."""

import asyncio
import binascii
import time
from base64 import b64decode
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from takeback.integrations.proxy.routes import plain_path
from takeback.integrations.proxy.spool import Spool

MAX_UPLOADS: Final = 10_000
"""Uploads that have begun, or that were completed, of which the proxy knows."""
IDLE_SECONDS: Final = 24 * 3600
"""After which an upload that nobody goes on with is forgotten."""


@dataclass(slots=True)
class TusUpload:
    """An upload: its address, its bytes, the length announced (None until it is), and its media type."""

    key: str
    spool: Spool
    length: int | None
    given: str
    touched: float = field(default_factory=time.monotonic)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are there."""
        return self.spool.size == self.length


class TusUploads:
    """The uploads of this process, the one that has been idle longest first."""

    def __init__(self) -> None:
        self._begun: OrderedDict[str, TusUpload] = OrderedDict()
        self._finished: OrderedDict[str, None] = OrderedDict()

    def add(self, upload: TusUpload) -> None:
        """Keeps an upload that has begun, in place of one with its address; forgets what is old."""
        self.drop(upload.key)
        self._begun[upload.key] = upload
        old = time.monotonic() - IDLE_SECONDS
        while self._begun and (len(self._begun) > MAX_UPLOADS or next(iter(self._begun.values())).touched < old):
            if not self.drop_idle():
                return

    def find(self, key: str) -> TusUpload | None:
        """Returns the upload at an address, which then counts as the one used last."""
        upload = self._begun.get(key)
        if upload:
            upload.touched = time.monotonic()
            self._begun.move_to_end(key)
        return upload

    def is_finished(self, key: str) -> bool:
        """Returns whether an upload at this address was completed here."""
        return key in self._finished

    def finish(self, key: str) -> None:
        """Remembers that an upload is complete, and gives its bytes up."""
        self.drop(key)
        self._finished[key] = None
        if len(self._finished) > MAX_UPLOADS:
            self._finished.popitem(last=False)

    def drop(self, key: str) -> None:
        """Gives an upload up; a client that goes on with it is told to begin anew."""
        self._finished.pop(key, None)
        upload = self._begun.pop(key, None)
        if upload:
            upload.spool.close()

    def drop_idle(self) -> bool:
        """Gives the upload up that has been idle longest, to make room; returns whether there was one."""
        key = next((upload.key for upload in self._begun.values() if not upload.lock.locked()), None)
        if key is not None:
            self.drop(key)
        return key is not None

    def close(self) -> None:
        """Gives all uploads up."""
        for key in list(self._begun):
            self.drop(key)


def key_of(target: bytes) -> str:
    """Returns the key for an address within the site: its path as routes compare it, and its query."""
    path, _, query = target.partition(b"?")
    return f"{plain_path(path)}?{query.decode('latin-1')}"


def key_of_location(location: str, base: str) -> tuple[str, str]:
    """Returns the plain path and the key of a `Location`, which may be relative to the plain path `base`."""
    parts = urlsplit(location)
    path = parts.path if parts.path.startswith("/") else f"{base.rpartition('/')[0]}/{parts.path}"
    raw = path.encode("latin-1", "replace")
    return plain_path(raw), key_of(raw + (b"?" + parts.query.encode("latin-1", "replace") if parts.query else b""))


def media_type(metadata: str) -> str:
    """Returns the media type in `Upload-Metadata`, if there is one: `filetype` or `type`, in base64."""
    for pair in metadata.split(","):
        name, _, value = pair.strip().partition(" ")
        if name.lower() in {"filetype", "type", "contenttype", "mimetype"}:
            try:
                return b64decode(value, validate=True).decode("latin-1")
            except (binascii.Error, ValueError):
                return ""
    return ""
