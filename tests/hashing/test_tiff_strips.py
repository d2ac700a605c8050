"""TIFF files with strips compressed by Deflate or JPEG, and with damaged EXIF."""

import io
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from takeback.errors import PictureError
from takeback.hashing import hash_picture
from takeback.hashing.tiff_strips import plain_tiff
from tests.vectors.make import alpha, scene

COLOUR = scene(301, 203)
CLEAR = COLOUR.copy()
CLEAR.putalpha(alpha(301, 203))
DEFLATE = {"compression": "tiff_adobe_deflate"}
FILES: dict[str, tuple[Image.Image, dict[str, Any]]] = {
    "RGB": (COLOUR, DEFLATE),
    "RGB, differences": (COLOUR, {**DEFLATE, "tiffinfo": {317: 2}}),
    "the older number": (COLOUR, {"compression": "tiff_deflate"}),
    "RGBA, differences": (CLEAR, {**DEFLATE, "tiffinfo": {317: 2}}),
    "grey, differences": (COLOUR.convert("L"), {**DEFLATE, "tiffinfo": {317: 2}}),
    "palette": (COLOUR.quantize(64), DEFLATE),
    "two colours": (COLOUR.convert("1"), DEFLATE),
    "16 bits": (COLOUR.convert("L").convert("I;16"), DEFLATE),
    "JPEG": (COLOUR, {"compression": "jpeg"}),
    "grey JPEG": (COLOUR.convert("L"), {"compression": "jpeg"}),
}


def file(name: str) -> bytes:
    """The TIFF of this name."""
    picture, ways = FILES[name]
    out = io.BytesIO()
    picture.save(out, "TIFF", **ways)
    return out.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_strips_are_unpacked_as_libtiff_does(name: str) -> None:
    """The unpacked file has the pixels that libtiff decodes from the packed one, bit for bit."""
    packed = file(name)
    plain = plain_tiff(packed)
    assert plain is not packed
    with Image.open(io.BytesIO(packed)) as before, Image.open(io.BytesIO(plain)) as after:
        assert (after.mode, after.tobytes()) == (before.mode, before.tobytes())
        assert after.info["compression"] == "raw"


def test_other_files_are_left_alone() -> None:
    """A file that is packed in another way, or not at all, is returned unchanged."""
    for compression in ("tiff_lzw", "packbits", None):
        out = io.BytesIO()
        COLOUR.save(out, "TIFF", compression=compression)
        data = out.getvalue()
        assert plain_tiff(data) is data


def test_a_file_whose_exif_lacks_an_entry_is_hashed() -> None:
    """A pointer to an EXIF directory that does not exist does not affect the pixels."""
    out = io.BytesIO()
    COLOUR.save(out, "TIFF", tiffinfo={65000: 8})
    data = bytearray(out.getvalue())
    entry = data.index(struct.pack("<HHI", 65000, 3, 1))
    struct.pack_into("<HHI", data, entry, 40965, 4, 1)
    with Image.open(io.BytesIO(data)) as image, pytest.raises(KeyError):
        image.load()  # as Pillow has it
    assert hash_picture(bytes(data)).signals[0] == hash_picture(out.getvalue()).signals[0]


@given(name=st.sampled_from(sorted(FILES)), place=st.floats(0, 1), value=st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_gives_a_hash_or_an_error(name: str, place: float, value: int) -> None:
    """Whatever byte is changed, the answer is a hash or one of our errors."""
    data = bytearray(file(name))
    data[min(len(data) - 1, int(place * len(data)))] = value
    try:
        hash_picture(bytes(data))
    except PictureError as error:
        assert str(error)
