"""Truncated and damaged files are hashed as browsers show them."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from takeback.cli import main
from takeback.errors import DamagedPicture, PictureError
from takeback.hashing import hash_picture
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.hashing.picture import open_picture
from takeback.signals import hamming_distance
from tests.vectors.make import alpha, scene

SIZE = (320, 240)
WHOLE = scene(*SIZE)
CLEAR = WHOLE.copy()
CLEAR.putalpha(alpha(*SIZE))
COLOURS = WHOLE.convert("L")
DEEP = Image.fromarray(np.asarray(COLOURS).astype(np.uint16) * 257)
KINDS: dict[str, tuple[Image.Image, dict[str, Any]]] = {
    "baseline": (WHOLE, {"format": "JPEG"}),
    "4:4:4": (WHOLE, {"format": "JPEG", "subsampling": 0}),
    "progressive": (WHOLE, {"format": "JPEG", "progressive": True}),
    "grey": (WHOLE.convert("L"), {"format": "JPEG"}),
    "four planes": (WHOLE.convert("CMYK"), {"format": "JPEG"}),
    "PNG": (WHOLE, {"format": "PNG"}),
    "palette": (WHOLE.quantize(64), {"format": "PNG"}),
    "clear": (CLEAR, {"format": "PNG"}),
    "deep": (DEEP, {"format": "PNG"}),
    "GIF": (WHOLE.quantize(64), {"format": "GIF", "interlace": 0}),
    "interlaced": (WHOLE.quantize(64), {"format": "GIF", "interlace": 1}),
    "BMP": (WHOLE, {"format": "BMP"}),
    "lossy WebP": (WHOLE, {"format": "WEBP"}),
}


def file(kind: str) -> bytes:
    """The intact file of a kind."""
    picture, ways = KINDS[kind]
    out = io.BytesIO()
    picture.save(out, **ways)
    return out.getvalue()


def pdq(data: bytes) -> str:
    """The hash of the upright picture."""
    return hash_picture(data).signals[0].value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_file_without_its_last_bytes_is_hashed_as_the_whole(kind: str, missing: int) -> None:
    """One or two missing bytes at the end move the hash by at most 2 bits."""
    whole = file(kind)
    cut = hash_picture(whole[:-missing])
    assert hamming_distance(cut.signals[0].value, pdq(whole)) <= 2
    assert (cut.width, cut.height) == SIZE


ROWS = ["baseline", "4:4:4", "grey", "four planes", "PNG", "clear", "deep", "GIF", "BMP"]
"""Kinds whose rows are stored one after the other."""


@pytest.mark.parametrize("kind", ROWS)
def test_many_missing_rows_are_white(kind: str) -> None:
    """The hash is that of the rows present over white, as in a browser."""
    whole = file(kind)
    cut = hash_picture(whole[: int(len(whole) * 0.8)])
    assert cut.incomplete
    found = cut.signals[0].value
    assert min(hamming_distance(found, rest) for rest in _filled(kind, repeated=False)) <= 8


@pytest.mark.parametrize("kind", ["PNG", "clear", "GIF", "BMP"])
def test_of_a_few_missing_rows_the_one_beside_them_is_repeated(kind: str) -> None:
    """A file that lacks two hundredths has the hash of the rows present, with the last one repeated."""
    whole = file(kind)
    cut = hash_picture(whole[: int(len(whole) * 0.98)])
    assert cut.incomplete
    assert min(hamming_distance(cut.signals[0].value, rest) for rest in _filled(kind, repeated=True)) <= 2


def _filled(kind: str, *, repeated: bool) -> Iterator[str]:
    """The hashes of a picture of which a part of the rows is present, from half of them to all but one."""
    picture = KINDS[kind][0]
    solid = Image.new("RGBA", SIZE, "white")
    solid.alpha_composite((COLOURS if picture.mode.startswith("I") else picture).convert("RGBA"))
    grey = np.asarray(solid.convert("L"))[:: -1 if kind == "BMP" else 1]
    for rows in range(SIZE[1] // 2, SIZE[1]):
        page = grey.copy()
        page[rows:] = grey[rows - 1] if repeated else 255
        yield hash_pixels(Pixels(*SIZE, "L", [page[:: -1 if kind == "BMP" else 1].tobytes()])).hash


@pytest.mark.parametrize("missing", [20, 21])
def test_a_sixteenth_of_the_rows_is_few(missing: int) -> None:
    """Of 320 rows, 20 missing ones repeat the adjacent row, 21 become white."""
    rows = np.repeat(np.arange(320, dtype=np.uint8)[:, None] % 77, 100, 1)
    out = io.BytesIO()
    Image.fromarray(rows).save(out, "BMP")  # its rows are stored from the last one to the first
    found = decoded(out.getvalue()[: -missing * 100])
    assert (found[missing:] == rows[missing:]).all()
    assert (found[:missing] == (rows[missing] if missing == 20 else 255)).all()


def decoded(data: bytes) -> Any:
    """The grey pixels of a file."""
    upright = open_picture(data).upright
    return np.frombuffer(b"".join(upright.strips), np.uint8).reshape(upright.height, upright.width)


def test_a_lossy_webp_is_hashed_wherever_it_is_cut() -> None:
    """Any number of up to a hundred bytes may be missing at the end."""
    whole = file("lossy WebP")
    assert all(hash_picture(whole[:-missing]).incomplete for missing in range(1, 101))


@pytest.mark.parametrize("kind", ["baseline", "4:4:4", "grey"])
def test_the_blocks_that_are_there_of_a_row_are_kept(kind: str) -> None:
    """In a JPEG's last row of blocks only missing ones are filled, with the pixels above them."""
    whole = file(kind)
    block = 16 if kind == "baseline" else 8
    found, there = decoded(whole[:-100]), decoded(whole)
    kept = [x for x in range(SIZE[0]) if (found[-block:, x] == there[-block:, x]).all()]
    assert kept[:block] == list(range(block))
    assert (found[-block:, -block:] == found[-block - 1, -block:]).all()


def test_a_whole_file_is_not_incomplete() -> None:
    """No intact file is marked as incomplete."""
    assert not [kind for kind in KINDS if hash_picture(file(kind)).incomplete]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_progressive_picture_shows_every_row(share: float) -> None:
    """The passes that are present show the whole picture, with less detail."""
    whole = file("progressive")
    cut = hash_picture(whole[: int(len(whole) * share)])
    assert cut.incomplete
    assert hamming_distance(cut.signals[0].value, pdq(whole)) <= 12


@pytest.mark.parametrize("kind", ["baseline", "PNG", "GIF", "BMP", "lossy WebP"])
def test_less_than_half_of_the_rows_is_refused(kind: str) -> None:
    """A quarter of a picture is not accepted as the picture."""
    whole = file(kind)
    with pytest.raises(DamagedPicture):
        hash_picture(whole[: len(whole) // 4])


def test_the_passes_of_an_interlaced_png_fill_the_gaps() -> None:
    """Six of Adam7's seven passes, half of the pixels, are close to the whole picture."""
    passes = _adam7(WHOLE)
    whole, cut = _png(b"".join(passes)), _png(b"".join(passes[:6]), whole=False)
    assert pdq(whole) == pdq(file("PNG"))
    assert hash_picture(cut).incomplete
    assert hamming_distance(pdq(cut), pdq(whole)) <= 8


def _adam7(picture: Image.Image) -> list[bytes]:
    """The rows of each pass, unfiltered."""
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    width, height = picture.size
    raw = picture.tobytes()
    pixel = [raw[at : at + 3] for at in range(0, len(raw), 3)]
    return [
        b"".join(
            b"\0" + b"".join(pixel[y * width + x] for x in range(left, width, across)) for y in range(top, height, down)
        )
        for left, top, across, down in steps
    ]


def _png(rows: bytes, *, whole: bool = True) -> bytes:
    """An interlaced PNG of these rows; if not whole, it ends inside its pixels."""
    head = struct.pack(">IIBBBBB", *SIZE, 8, 2, 0, 0, 1)
    packed = zlib.compress(rows)
    start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head)
    if whole:
        return start + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    return start + struct.pack(">I4s", len(packed) + 1000, b"IDAT") + packed[:-6]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@given(kind=st.sampled_from(sorted(KINDS)), place=st.floats(0, 1), length=st.integers(1, 200), cut=st.booleans())
@settings(max_examples=60, deadline=None)
def test_damage_gives_a_picture_of_the_same_size_or_an_error(kind: str, place: float, length: int, cut: bool) -> None:
    """Wherever a file is overwritten or truncated, the answer is one of our errors or a hash, the same each time."""
    whole = file(kind)
    at = int(place * len(whole))
    changed = whole[:at] + (b"" if cut else bytes(length) + whole[at + length :])
    try:
        first = hash_picture(changed)
    except PictureError:
        return
    assert hash_picture(changed).signals == first.signals


def test_an_animation_whose_first_frame_is_broken_is_hashed() -> None:
    """A GIF of two frames with a gap in the first has the hash of what the first shows."""
    out = io.BytesIO()
    frames = [WHOLE.quantize(64), WHOLE.transpose(Image.Transpose.ROTATE_180).quantize(64)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], interlace=0)
    data = out.getvalue()
    assert hash_picture(data[:-200]).signals[0].value == pdq(data)


def test_the_command_says_that_a_file_is_incomplete(tmp_path: Any) -> None:
    """`takeback hash` marks the file as incomplete in its line and in JSON."""
    path = tmp_path / "cut.jpg"
    path.write_bytes(file("baseline")[:-1])
    assert "incomplete" in CliRunner().invoke(main, ["hash", str(path)]).output
    assert '"incomplete": true' in CliRunner().invoke(main, ["hash", "--json", str(path)]).output
