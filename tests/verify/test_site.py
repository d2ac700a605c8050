"""Asking a site: addresses, what is unpacked, and within which limits."""

import gzip
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import override

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError, SiteUnreachable
from takeback.verify.site import PACKING_BYTES, Served, ServedSite, Undecodable, unpacked

PACK = {"identity": bytes, "gzip": gzip.compress, "br": brotli.compress}


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "expected https://HOST"),
        ("example.org", "expected https://HOST"),
        ("ftp://example.org", "expected https://HOST"),
        ("https://", "expected https://HOST"),
        ("https://a:b", "expected https://HOST"),
        ("https://example.org/page", "without a path"),
        ("https://example.org?x", "no user, password, query or fragment"),
        ("https://me@example.org", "no user, password, query or fragment"),
        ("http://example.org", "must start with https://, or the answers could be changed on the way"),
    ],
)
def test_an_address_that_cannot_be_asked(address: str, told: str) -> None:
    """An address that is none, has more than a host, or could be answered by anybody on the way is refused."""
    with pytest.raises(SettingsError, match=told):
        ServedSite(address)


@given(st.sampled_from(sorted(PACK)), st.binary(max_size=2000))
def test_what_is_packed_is_unpacked(encoding: str, data: bytes) -> None:
    """Of each content coding the file itself comes out."""
    assert unpacked(Served(200, encoding, PACK[encoding](data)), len(data)) == data


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_bomb_is_not_unpacked(encoding: str) -> None:
    """Of a body that unpacks to a thousand times what it should be, not much more than that is unpacked."""
    bomb = PACK[encoding](bytes(64 << 20))
    assert 1000 < len(unpacked(Served(200, encoding, bomb), 1000)) < 1 << 20


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_what_is_cut_or_foreign_is_not_unpacked(encoding: str) -> None:
    """A body that ends early, is empty, or is something else is not what its coding says."""
    whole = PACK[encoding](bytes(range(256)) * 40)
    for body in (b"", whole[:-3], whole[: len(whole) // 2], b"<html>" + whole):
        with pytest.raises(Undecodable):
            unpacked(Served(200, encoding, body), 256 * 40)
    with pytest.raises(Undecodable):
        unpacked(Served(200, "zstd", whole), 256 * 40)


def test_more_behind_a_gzip_is_not_passed_over() -> None:
    """A second member behind the first, which browsers would show too, is found."""
    with pytest.raises(Undecodable):
        unpacked(Served(200, "gzip", gzip.compress(b"page") + gzip.compress(b"more")), 4)


class _Endless(socketserver.StreamRequestHandler):
    """Answers every request with a body that never ends, in steps of `pause` seconds."""

    pause = 0.0
    part = b"x" * 65536

    @override
    def handle(self) -> None:
        self.request.recv(65536)
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            while True:
                self.wfile.write(self.part)
                time.sleep(self.pause)
        except OSError:
            return


class _Slow(_Endless):
    pause = 0.05
    part = b"x"


@contextmanager
def listening(handler: type[_Endless]) -> Iterator[str]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_an_endless_answer_is_cut_off() -> None:
    """Of a body without an end little more than the file's size is read."""
    with listening(_Endless) as address, ServedSite(address) as site:
        assert 1000 < len(site.get("/", "identity", 1000).body) < 1000 + 4 * PACKING_BYTES


def test_an_answer_that_trickles_in_ends_too() -> None:
    """A site that sends a byte now and then is given up when the time for the whole is over."""
    with (
        listening(_Slow) as address,
        ServedSite(address, seconds=0.3) as site,
        pytest.raises(SiteUnreachable, match="takes too long"),
    ):
        site.get("/", "identity", 1000)


def test_a_site_that_is_not_there_is_told() -> None:
    """Where nothing listens, the error says so and names the address."""
    with ServedSite("http://127.0.0.1:9") as site, pytest.raises(SiteUnreachable, match=r"127\.0\.0\.1:9.*is refused"):
        site.get("/", "identity", 1)
