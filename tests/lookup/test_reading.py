import subprocess
from hashlib import sha256
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from takeback.hashing import hash_picture
from takeback.hashing.patches import MAX_ASKED
from takeback.lookup import reading
from takeback.lookup.reading import read_upload
from takeback.signals import SignalType, Variant
from tests.gate.pictures import drawing, jpeg

FILE = jpeg(drawing(1))
HEAD = b"\0\0\0\x18ftypisom\0\0\0\0isomiso2"


def test_a_picture() -> None:
    """A picture gives the hashes that a gate computes, but no MD5, no phash and no place of a patch."""
    read = read_upload(FILE)
    hashed = hash_picture(FILE)
    assert (read.kind, read.sha256, read.why) == ("picture", sha256(FILE).hexdigest(), None)
    assert read.signals[0] == hashed.signals[0]
    assert {signal.type for signal in read.signals} == {SignalType.PDQ}
    assert read.dihedral == hashed.dihedral
    assert 50 < len(read.patches) <= MAX_ASKED
    assert {len(patch) for patch in read.patches} == {3}


def test_a_picture_on_a_plain_ground() -> None:
    """What stands on a plain ground is hashed by itself, upright and mirrored."""
    ground = Image.new("RGB", (1000, 1400), "white")
    ground.paste(drawing(1), (180, 400))
    read = read_upload(jpeg(ground))
    assert [signal.variant for signal in read.signals].count(Variant.TRIMMED) == 2


def test_an_animation() -> None:
    """An animation gives the hashes of its frames."""
    out = BytesIO()
    frames = [drawing(seed, (200, 160)) for seed in range(4)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=1000)
    assert SignalType.VPDQ in {signal.type for signal in read_upload(out.getvalue()).signals}


def test_other_files() -> None:
    """A video has its SHA-256 alone; a file that claims to be a picture is unreadable; others are no media."""
    assert read_upload(HEAD).kind in {"video", "unreadable"}
    assert read_upload(b"text").kind == "not_media"
    claimed = read_upload(b"text", "image/png")
    assert claimed.why is not None
    assert (claimed.kind, claimed.why.code) == ("unreadable", "unknown-format")
    cut = read_upload(FILE[:300])
    assert cut.why is not None
    assert (cut.kind, cut.why.code, cut.signals) == ("unreadable", "damaged-picture", ())


def test_a_file_over_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that takes too much time or memory, or that is too large, is unreadable."""
    with monkeypatch.context() as limited:
        limited.setattr(reading, "MEMORY_BYTES", 1 << 20)
        large = read_upload(jpeg(drawing(3, (3000, 3000))))
    with monkeypatch.context() as limited:
        limited.setattr(reading, "WALL_CLOCK_SECONDS", 0.001)
        slow = read_upload(FILE)
    with monkeypatch.context() as limited:
        limited.setattr(reading, "MAX_BYTES", 1000)
        long = read_upload(FILE)
    found = [one.why.code if one.why else "" for one in (large, slow, long)]
    assert found == ["over-budget", "over-budget", "picture-too-large"]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b'{"signals": [["pdq", "00", 100, "whole"]]}',
        b'{"signals": [["pdq", "00", 100, "else"]]}',
        b'{"dihedral": {"orig": "x"}}',
        b'{"picture": "x"}',
        b"\xff\xfe",
    ],
)
def test_the_process_is_not_trusted(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """A process that a file took over cannot make the site send what it likes: its answer is checked."""
    monkeypatch.setattr(subprocess, "run", lambda program, **_: subprocess.CompletedProcess(program, 0, said))
    read = read_upload(FILE)
    assert (read.kind, read.signals) == ("unreadable", ())


@given(st.binary(max_size=300), st.text(max_size=20))
@settings(deadline=None, max_examples=40)
def test_any_bytes_get_a_result(data: bytes, given_type: str) -> None:
    """Any bytes with any media type give a result without an error."""
    assert read_upload(data, given_type).sha256 == sha256(data).hexdigest()
