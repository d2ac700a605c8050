"""Pictures of every supported format, through the public function `hash_picture`."""

import contextlib
import io
import json
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from takeback.errors import DamagedPicture, PictureError, PictureTooLarge, UnknownFormat
from takeback.hashing import hash_picture, picture, structure
from takeback.signals import SignalType, Variant, hamming_distance

VECTORS = Path(__file__).parents[1] / "vectors"
DOCUMENT = json.loads((VECTORS / "vectors.json").read_text("utf-8"))
GOOD: list[dict[str, Any]] = DOCUMENT["vectors"]
SMALL = ["colour.jpg", "rgb.png", "lossy.webp", "moving.gif", "rgb.tiff", "two.mpo", "turned-6.jpg"]


def read(name: str) -> bytes:
    """A picture of the vectors."""
    return (VECTORS / "pictures" / name).read_bytes()


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file of a picture."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["file"])
def test_every_kind_of_picture(vector: dict[str, Any]) -> None:
    """A picture of any kind has the signals of its vector, upright, over white, to the bit."""
    result = hash_picture(read(vector["file"]))
    values = {signal.type: signal.value for signal in result.signals if signal.variant is Variant.WHOLE}
    assert values == {kind: vector[kind] for kind in SignalType if kind in vector}
    assert (result.quality, result.width, result.height) == (vector["quality"], vector["width"], vector["height"])
    assert result.format == vector["format"]
    assert result.dihedral == vector["dihedral"] or (result.width, result.height) == (64, 64)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_is_hashed_upright_and_as_stored(orientation: int) -> None:
    """A picture with an orientation mark has PDQ of the upright picture and of the pixels as stored."""
    signals = [s for s in hash_picture(read(f"turned-{orientation}.jpg")).signals if s.type is SignalType.PDQ]
    assert [signal.variant for signal in signals] == [Variant.WHOLE, Variant.STORED]
    plain = hash_picture(read("colour.jpg")).signals[0]
    assert signals[1].value == plain.value
    assert hamming_distance(signals[0].value, plain.value) > 31


def test_an_upright_picture_is_hashed_once() -> None:
    """Without an orientation mark there is one PDQ."""
    assert [s.type for s in hash_picture(read("colour.jpg")).signals] == ["pdq", "sha256", "md5", "phash"]


@pytest.mark.parametrize("fault", DOCUMENT["errors"], ids=lambda fault: fault["file"])
def test_broken_files_have_their_error(fault: dict[str, str]) -> None:
    """A truncated file, or one that is no picture, gives the error of its vector."""
    with pytest.raises(PictureError) as caught:
        hash_picture(read(fault["file"]))
    assert caught.value.code == fault["error"]


@given(name=st.sampled_from(SMALL), share=st.floats(0, 0.98))
@settings(max_examples=80)
def test_a_file_cut_anywhere_gives_an_error_or_a_picture(name: str, share: float) -> None:
    """However much of a file is missing, the answer is a result or one of our errors."""
    whole = read(name)
    cut = whole[: int(len(whole) * share)]
    with contextlib.suppress(DamagedPicture, UnknownFormat):
        hash_picture(cut)


@given(name=st.sampled_from(SMALL), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=8))
@settings(max_examples=120)
def test_a_file_with_flipped_bits_gives_an_error_or_a_picture(name: str, flips: list[tuple[float, int]]) -> None:
    """However a file is changed, the answer is a result or one of our errors, without a warning."""
    data = bytearray(read(name))
    for place, mask in flips:
        data[min(len(data) - 1, int(place * len(data)))] ^= mask
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(PictureError):
            hash_picture(bytes(data))


@given(st.binary(max_size=400))
def test_any_bytes_give_an_error(data: bytes) -> None:
    """Bytes that are no picture are reported as an unknown format."""
    with pytest.raises(PictureError):
        hash_picture(data)


def test_too_many_pixels_are_refused_before_decoding() -> None:
    """A picture over the limit is refused by its header alone, and the text names the limit."""
    header = b"IHDR" + (20_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    data = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    data += (0).to_bytes(4, "big") + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big")
    with pytest.raises(PictureTooLarge, match="210 megapixels"):
        hash_picture(data)


def test_too_many_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with more frames than the limit is refused, and the text says what to do."""
    monkeypatch.setattr(structure, "MAX_FRAMES", 1)
    with pytest.raises(PictureTooLarge, match="save the first one"):
        hash_picture(read("moving.gif"))


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is refused without being read."""
    monkeypatch.setattr(picture, "MAX_BYTES", 100)
    with pytest.raises(PictureTooLarge, match="save the picture as a JPEG"):
        hash_picture(read("colour.jpg"))


def test_a_side_the_kernel_cannot_take_is_refused() -> None:
    """A picture longer than any camera produces is refused, and the text says what to do."""
    with pytest.raises(PictureTooLarge, match="side"):
        hash_picture(encode(Image.new("L", (70_000, 6)), "PNG"))


def test_a_text_bomb_is_damaged() -> None:
    """A PNG with compressed text that expands without end gives an error."""
    image = Image.new("L", (8, 8))
    text = zlib.compress(b"a" * 80_000_000)
    chunk = b"zTXt" + b"k\0\0" + text
    data = encode(image, "PNG")
    bomb = data[:33] + (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[33:]
    with pytest.raises(PictureError):
        hash_picture(bomb)


def test_pillow_is_left_as_it_was() -> None:
    """Hashing changes none of the limits that the calling program has set on Pillow."""
    before = Image.MAX_IMAGE_PIXELS
    hash_picture(read("colour.jpg"))
    assert before == Image.MAX_IMAGE_PIXELS


def test_steps_are_told_in_order() -> None:
    """`on_step` is called when the picture is decoded and when it is hashed."""
    steps: list[str] = []
    hash_picture(read("colour.jpg"), steps.append)
    assert steps == ["decoded", "hashed"]


def test_luma_alone_is_near_rgb(shared: Path, record_property: Any) -> None:
    """For photographs the luma plane moves PDQ by at most 4 bits, for other formats not at all."""
    distances: dict[tuple[str, int], int] = {}
    for entry in json.loads((shared / "photos" / "manifest.json").read_text("utf-8")):
        if entry["format"] not in {"JPEG", "PNG", "WEBP"}:
            continue
        result = hash_picture((shared / "photos" / entry["file"]).read_bytes())
        expected = entry.get("pdq_full_upright", entry["pdq_full"])
        distance = hamming_distance(result.signals[0].value, expected)
        distances[entry["format"], distance] = distances.get((entry["format"], distance), 0) + 1
    record_property("distances", str(distances))
    assert sum(distances.values()) > 50
    assert all(distance <= (4 if kind == "JPEG" else 0) for kind, distance in distances), distances
