"""Tiles and snapshots are read as they were written, and anything else is refused."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from takeback import bulk, protocol
from takeback.errors import FeedBroken
from takeback.protocol import FeedAction, FeedEntry, FeedHead, encode
from tests.test_protocol import ENTRIES

SPEC: Final = Path(protocol.__file__).with_name("PROTOCOL.md").read_text()
HEAD: Final = FeedHead(1, "0" * 64, 1, "2026-11-23T10:00:00Z", "0" * 64, "0" * 128)
END: Final = bulk.encode_end(encode(HEAD))


def canonical(line: FeedEntry) -> FeedEntry:
    """The line as a tile has it: an `add` with the default standing has none."""
    same = line.action is not FeedAction.ADD or line.standing != protocol.EntryStatus.BLOCK
    return line if same else structs.replace(line, standing=None)


def pieces(data: bytes, size: int) -> list[bytes]:
    """The bytes in chunks of this size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def tile(lines: list[FeedEntry]) -> bytes:
    """A tile of these lines, all with a salt."""
    return bulk.MAGIC[False] + b"".join(map(bulk.write_line, lines))


LINES = ENTRIES.map(lambda line: canonical(line) if line.signal is None or line.salt else canonical(_salted(line)))


def _salted(line: FeedEntry) -> FeedEntry:
    return structs.replace(line, salt="5" * 32)


@given(st.lists(LINES, max_size=5), st.integers(1, 200))
def test_what_is_written_is_read(lines: list[FeedEntry], size: int) -> None:
    """A tile in chunks of any size gives its lines, its head, and the digest of everything before its end."""
    body = tile(lines)
    reader = bulk.Reader(pieces(body + END, size), snapshot=False)
    assert [bulk.line_of(record) for record in reader] == lines
    assert reader.head == HEAD
    assert reader.digest == sha256(body).digest()


@given(st.lists(LINES, max_size=3), st.data())
def test_a_file_that_is_cut_or_longer_is_refused(lines: list[FeedEntry], data: st.DataObject) -> None:
    """Every prefix of a tile, and a tile followed by more data, is refused."""
    whole = tile(lines) + END
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for broken in (cut, whole + b"\0"):
        with pytest.raises(FeedBroken):
            list(bulk.Reader([broken], snapshot=False))


@given(st.binary(max_size=300), st.booleans())
def test_rubbish_is_refused(rubbish: bytes, snapshot: bool) -> None:
    """Arbitrary bytes are read or refused, and never cause a crash."""
    with pytest.raises(FeedBroken):
        list(map(bulk.line_of, bulk.Reader([bulk.MAGIC[snapshot] + rubbish], snapshot=snapshot)))


def test_the_example_of_the_specification() -> None:
    """The snapshot in hex in PROTOCOL.md decodes to its entry 41."""
    (example,) = re.findall(r"^```hex snapshot\n(.*?)^```$", SPEC, re.MULTILINE | re.DOTALL)
    reader = bulk.Reader([bytes.fromhex(example)[:-8] + END], snapshot=True)
    (line,) = map(bulk.line_of, reader)
    (told,) = (line for line in protocol.decode(_example("feed-page"), protocol.FeedPage).entries if line.number == 41)
    assert line == structs.replace(told, salt=None)


def _example(name: str) -> bytes:
    (text,) = re.findall(rf"^```json {name}\n(.*?)^```$", SPEC, re.MULTILINE | re.DOTALL)
    return str(text).encode()
