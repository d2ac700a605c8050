"""HEIC, AVIF and JPEG XL: turned once, refused when too large, and always a hash or one of our errors."""

import json
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from takeback.errors import PictureError, PictureTooLarge
from takeback.hashing import decoders, hash_picture, sealed, with_variants
from takeback.hashing.decoders import decode_avif
from takeback.signals import SignalType, Variant, hamming_distance
from tests import oracle, stills
from tests.e2e.pictures import draw

PICTURE: Final = draw(5, (320, 240))
NEAR: Final = 10
"""Bits by which lossy coding may move the hash of such a picture."""
FILES: Final = {"heic": stills.heic(PICTURE), "avif": stills.avif(PICTURE), "jxl": stills.jxl(PICTURE)}


def pdq(data: bytes) -> dict[Variant, str]:
    """The PDQ of each variant of a file."""
    return {s.variant: s.value for s in hash_picture(data).signals if s.type is SignalType.PDQ}


def near(value: str, image: Image.Image) -> bool:
    """Whether a hash is that of a picture, up to a few bits."""
    return hamming_distance(value, oracle.pdq(np.asarray(image.convert("RGB")))[0]["orig"]) <= NEAR


@pytest.mark.parametrize(("turns", "mirror"), stills.SHOWN)
def test_a_heic_is_turned_once(turns: int, mirror: int | None) -> None:
    """A HEIC is hashed as viewers turn and mirror it; it has no stored variant, because every reader turns it."""
    found = pdq(stills.heic(PICTURE, turns, mirror))
    assert found.keys() == {Variant.WHOLE}
    assert near(found[Variant.WHOLE], stills.shown(PICTURE, turns, mirror))


@pytest.mark.parametrize(("turns", "mirror"), stills.SHOWN)
def test_what_libheif_refuses_ffmpeg_may_read(turns: int, mirror: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A HEIC that libheif cannot decode is hashed from FFmpeg's pixels, turned and mirrored once as well."""

    def refuse(_file: object) -> None:
        raise ValueError

    file = stills.heic(PICTURE, turns, mirror)
    expected = pdq(file)[Variant.WHOLE]
    monkeypatch.setattr("pi_heif.HeifImageFile", refuse)
    found = pdq(file)
    assert found.keys() == {Variant.WHOLE}
    assert hamming_distance(found[Variant.WHOLE], expected) <= 2
    with pytest.raises(PictureError):
        hash_picture(stills.heic(PICTURE, size=(100, 100)))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_an_avif_is_turned_once(orientation: int) -> None:
    """An AVIF is hashed as its properties turn it, and as stored."""
    found = pdq(stills.avif(PICTURE, orientation))
    names = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
    assert near(found[Variant.WHOLE], PICTURE.transpose(Image.Transpose[names[orientation - 2]]))
    assert near(found[Variant.STORED], PICTURE)


def test_a_jpeg_xl_is_read() -> None:
    """A JPEG XL has the hash of its picture."""
    assert near(pdq(FILES["jxl"])[Variant.WHOLE], PICTURE)


def test_a_picture_too_large_never_meets_a_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A HEIC or JPEG XL over the limit is refused by its header, before a decoder allocates memory."""

    def never(_data: bytes) -> decoders.DecodedImage:
        raise AssertionError

    for name in ("HEIC", "JXL"):
        monkeypatch.setitem(decoders.decoders, name, never)
    square = (0b11 << 1 | 59_999 << 3 | 1 << 33).to_bytes(16, "little")
    for data in (stills.heic(PICTURE, size=(60_000, 60_000)), b"\xff\x0a" + square):
        with pytest.raises(PictureTooLarge, match="save a smaller copy"):
            hash_picture(data)


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(FILES)), cut=st.floats(0, 1), hole=st.none() | st.floats(0, 1))
def test_what_is_broken_ends_in_an_answer(kind: str, cut: float, hole: float | None) -> None:
    """A file truncated or overwritten anywhere gives a hash or one of our errors."""
    data = FILES[kind]
    at = int(len(data) * cut)
    broken = data[:at] if hole is None else data[:at] + bytes(round(200 * hole)) + data[at + round(200 * hole) :]
    with suppress(PictureError):
        assert hash_picture(broken).signals


def handed(image: Image.Image) -> Callable[[object], decoders.JavaScriptPixels]:
    """A decoder in the form that JavaScript provides, which returns this picture."""
    return lambda _file: SimpleNamespace(
        width=image.width, height=image.height, mode=image.mode, cut=lambda *box: image.crop(box).tobytes()
    )


@pytest.mark.parametrize("orientation", [1, 6, 2, 7])
def test_pixels_that_are_handed_over_give_the_same(orientation: int) -> None:
    """Pixels from a decoder outside Python, fetched in strips, have the same signals as natively."""
    data = stills.avif(PICTURE, orientation)
    stored = decode_avif(data)
    assert isinstance(stored, Image.Image)
    hashing = sealed.Hashing()
    answer = json.loads(hashing.hash(data, None, handed(stored.convert("RGBA"))))
    hashing.keep(1)
    found = [signal["value"] for signal in (*answer["signals"], *json.loads(hashing.phash_to_json(1)))]
    assert sorted(found) == sorted(signal.value for signal in with_variants(hash_picture(data)).signals)


def test_a_decoder_without_memory_says_what_to_do() -> None:
    """If a decoder outside Python runs out of memory, the person is told what to do about it."""

    def full(_file: object) -> decoders.JavaScriptPixels:
        raise RuntimeError("RangeError: memory")

    answer = json.loads(sealed.Hashing().hash(FILES["avif"], None, full))
    assert answer["error"]["code"] == "picture-too-large"
    assert "close other programs" in answer["error"]["text"]


def test_only_three_kinds_need_a_decoder_from_the_page() -> None:
    """The first bytes tell which decoder a file needs: three formats need one, all others none."""
    assert {kind: sealed.decoder_for(data[:4096]) for kind, data in FILES.items()} == {
        "heic": "HEIC", "avif": "AVIF", "jxl": "JXL",
    }  # fmt: skip
    assert sealed.decoder_for(b"\xff\xd8\xff\xe0") == sealed.decoder_for(b"") == sealed.decoder_for(b"text") == ""
