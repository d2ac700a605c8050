"""`Accept-Encoding` by RFC 9110, section 12.5.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.registry.http.content_encoding import choose
from tests.registry.support import Platform, Server, md5

BOTH = ["br", "gzip"]


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", "identity"),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0.5,gzip;q=0.8", "gzip"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.0", "identity"),
        ("gzip; q=0.000", "identity"),
        ("gzip;q=0.001", "gzip"),
        ("gzip ; q=1.000", "gzip"),
        ("gzip;q=2", "identity"),
        ("gzip;q=x", "identity"),
        ("gzip;q=", "identity"),
        ("gzip;q=-1", "identity"),
        ("gzip;q=nan", "identity"),
        ("gzip;level=9", "identity"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("gzip, *;q=0", "gzip"),
        ("br;q=0, *", "gzip"),
        ("identity;q=0", "identity"),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity, gzip", "gzip"),
        ("identity, gzip;q=0.5", "identity"),
        ("deflate, zstd", "identity"),
        (",,;;,", "identity"),
    ],
)
def test_the_coding_that_is_liked_best(header: str, chosen: str) -> None:
    """Quality values and `*` are respected; of equals the first available coding is chosen."""
    assert choose(header, BOTH) == chosen


@given(st.text() | st.text(alphabet="gzipbr*identy;q=01.,  "))
def test_any_header_is_answered(header: str) -> None:
    """For every header the choice is an available coding or `identity`."""
    assert choose(header, BOTH) in {*BOTH, "identity"}
    assert choose(header, []) == "identity"


@pytest.mark.parametrize(("header", "packed"), [("gzip;q=0.0", False), ("*;q=0", False), ("*", True), ("gzip", True)])
def test_a_page_of_the_feed_obeys(server: Server, platform: Platform, header: str, packed: bool) -> None:
    """A long page of the feed is compressed only for clients that accept it."""
    server.submit([md5() for _ in range(20)])
    answer = server.http.get("/v1/feed?after=0", headers={**platform.headers, "Accept-Encoding": header})
    assert (answer.headers.get("content-encoding") == "gzip") == packed
