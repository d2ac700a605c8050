"""Asks a site for its files. The site is not trusted: every answer is limited in time, in size, and when unpacked."""

import time
import zlib
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import brotli
import httpx

from takeback.connections import check_address, unreadable_certificates, why
from takeback.errors import SettingsError, SiteUnreachable

ENCODINGS: Final = ("identity", "gzip", "br")
"""Each form in which a browser may be served a file."""
MAX_SECONDS: Final = 1800.0
"""For a whole site, about 120 MB in all its forms, so that one that trickles in ends too."""
PACKING_BYTES: Final = 1 << 16
"""How much larger than the file itself a compressed form of it may be."""
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
"""A browser's name, because a site that recognised this program could serve the release to it alone."""


@dataclass(frozen=True, slots=True)
class Served:
    """An answer: its status, its content coding, and its body as it came."""

    status: int
    encoding: str
    body: bytes


class Undecodable(Exception):
    """A body that is not what its content coding says, or is larger than it may be."""


class ServedSite:
    """A connection to the site at `address`. `seconds` is for everything that is asked over it.

    Raises `SettingsError` for an address that cannot be asked.
    """

    def __init__(self, address: str, seconds: float = MAX_SECONDS) -> None:
        self.address = address.rstrip("/")
        check_address(self.address, "the site", "the answers could be changed on the way")
        if self.address.count("/") > 2:
            raise SettingsError("the site's address is that of its first page, without a path: https://HOST[:PORT]")
        self._deadline = time.monotonic() + seconds
        # no-cache: a cache on the way must ask the server again (RFC 9111, section 5.2.1.4).
        headers = {"User-Agent": _BROWSER, "Accept": "*/*", "Cache-Control": "no-cache"}
        try:
            # A redirect would lead to another site than the one that was to be checked.
            self._http = httpx.Client(base_url=self.address, headers=headers, timeout=_TIMEOUT, follow_redirects=False)
        except OSError as error:  # ssl's own errors are such too
            raise unreadable_certificates(error) from error
        except httpx.InvalidURL as error:
            raise SettingsError(f"the site's address is not one: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, encoding: str, size: int) -> Served:
        """The file at `path` in a content coding; at most a little more than `size` bytes are read of its body.

        Raises `SiteUnreachable`.
        """
        try:
            with self._http.stream("GET", path, headers={"Accept-Encoding": encoding}) as answer:
                body = self._read(answer, size + PACKING_BYTES)
        except httpx.TimeoutException as error:
            raise SiteUnreachable(f"{self.address} did not answer in time") from error
        except httpx.HTTPError as error:
            raise SiteUnreachable(f"{self.address} cannot be reached: {why(error)}") from error
        return Served(answer.status_code, answer.headers.get("Content-Encoding", "identity").lower(), body)

    def _read(self, answer: httpx.Response, most: int) -> bytes:
        """The body as it came, up to the first part that ends beyond `most` bytes."""
        body = bytearray()
        # Raw, because httpx would unpack a small body into one of any size.
        for part in answer.iter_raw():
            body += part
            if len(body) > most:
                break
            if time.monotonic() > self._deadline:
                raise SiteUnreachable(f"{self.address} takes too long; try again over a faster connection")
        return bytes(body)


def unpacked(served: Served, size: int) -> bytes:
    """The file in an answer, of which no more than about `size` bytes and one are unpacked. Raises `Undecodable`."""
    match served.encoding:
        case "identity":
            return served.body
        case "gzip":
            return _gunzipped(served.body, size + 1)
        case "br":
            return _unbrotlied(served.body, size + 1)
    raise Undecodable


def _gunzipped(packed: bytes, most: int) -> bytes:
    """At most `most` bytes of what one gzip member, and nothing behind it, holds (RFC 1952)."""
    # 31 is zlib's code for the largest window (15) with gzip's header and trailer (16).
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(packed, most)
    except zlib.error as error:
        raise Undecodable from error
    # What fills the limit is refused by its size; anything shorter must be the whole of the body.
    if len(plain) < most and (not reader.eof or reader.unused_data):
        raise Undecodable
    return plain


def _unbrotlied(packed: bytes, most: int) -> bytes:
    """About `most` bytes of what one brotli stream holds (RFC 7932)."""
    reader = brotli.Decompressor()
    try:
        plain: bytes = reader.process(packed, output_buffer_limit=most)
        # Brotli takes no more input while it still holds output, so that is asked for first.
        while len(plain) < most and not reader.is_finished() and not reader.can_accept_more_data():
            plain += reader.process(b"", output_buffer_limit=most - len(plain))
    except brotli.error as error:
        raise Undecodable from error
    if len(plain) < most and not reader.is_finished():
        raise Undecodable
    return plain
