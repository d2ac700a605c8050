"""What differs between an answer of a site and what a release lists."""

import gzip
from hashlib import sha256

import brotli
import pytest

from takeback.verify.compare import fault
from takeback.verify.release import ListedFile
from takeback.verify.site import Served

PLAIN = b"export {};" * 100
LISTED = ListedFile("page.js", len(PLAIN), sha256(PLAIN).hexdigest())


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        (Served(200, "identity", PLAIN), "identity"),
        (Served(200, "identity", PLAIN), "br"),
        (Served(200, "br", brotli.compress(PLAIN)), "br"),
        (Served(200, "br", brotli.compress(PLAIN, quality=1)), "br"),
        (Served(200, "gzip", gzip.compress(PLAIN)), "gzip"),
    ],
)
def test_the_file_in_any_form_is_the_file(served: Served, asked: str) -> None:
    """The file itself is the same plain and compressed, however well it is compressed."""
    assert fault(served, LISTED, asked) is None


@pytest.mark.parametrize(
    ("served", "asked", "told"),
    [
        (Served(404, "identity", b""), "br", "missing"),
        (Served(301, "identity", b""), "br", "status 301 instead of 200"),
        (Served(500, "identity", PLAIN), "br", "status 500 instead of 200"),
        (Served(200, "identity", PLAIN[:-1]), "br", "differs: 999 bytes with SHA-256"),
        (Served(200, "identity", b"x" + PLAIN[1:]), "br", "differs: 1000 bytes with SHA-256"),
        (Served(200, "identity", PLAIN + b"x"), "br", "differs: more than the release's 1000 bytes"),
        (Served(200, "gzip", gzip.compress(PLAIN)), "br", "differs: it is encoded in a way that was not asked for"),
        (Served(200, "br", gzip.compress(PLAIN)), "br", "differs: it is not valid br"),
        (Served(200, "br", brotli.compress(PLAIN[:-1])), "br", "differs: 999 bytes with SHA-256"),
        (Served(200, "gzip", gzip.compress(PLAIN + b"x")), "gzip", "differs: more than the release's 1000 bytes"),
    ],
)
def test_whatever_else_comes_differs(served: Served, asked: str, told: str) -> None:
    """An answer that is not the file says in which way."""
    assert (fault(served, LISTED, asked) or "").startswith(told)
