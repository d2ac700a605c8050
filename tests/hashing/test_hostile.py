"""Files made to keep a decoder busy or to crash it: each gives a result or one of our errors at once."""

import io
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from takeback.errors import DamagedPicture, PictureError, PictureTooLarge
from takeback.hashing import hash_picture, structure, tiff

PICTURES = Path(__file__).parents[1] / "vectors" / "pictures"


def read(name: str) -> bytes:
    """A picture of the vectors."""
    return (PICTURES / name).read_bytes()


def pdq_of(data: bytes) -> str:
    """The PDQ of the upright picture."""
    return hash_picture(data).signals[0].value


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_segment(marker: int, content: bytes, times: int = 1) -> bytes:
    """A JPEG with a segment inserted at the front, this many times."""
    whole = read("colour.jpg")
    return whole[:2] + (struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content) * times + whole[2:]


def directory(entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    """A directory of a little-endian TIFF: tag, type, count and value of each entry, and the next offset."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def test_a_gif_whose_comments_take_long_to_join() -> None:
    """A GIF with megabytes of comments at the front is refused before they are joined."""
    whole = read("still.gif")
    start = 13 + 3 * 2 ** ((whole[10] & 7) + 1)
    comment = b"\x21\xfe" + (b"\xff" + bytes(255)) * 5000 + b"\0"
    with pytest.raises(PictureTooLarge, match="besides the picture"):
        hash_picture(whole[:start] + comment + whole[start:])


def test_a_gif_of_countless_frames() -> None:
    """A GIF with more frames than the limit is refused, whatever its later frames contain."""
    whole = read("still.gif")
    frame = b"\x2c" + bytes(4) + b"\1\0\1\0\0" + b"\2\2\x44\1\0"
    assert pdq_of(whole[:-1] + frame * 100 + b";") == pdq_of(whole)
    with pytest.raises(PictureTooLarge, match="10,000 frames"):
        hash_picture(whole[:-1] + frame * 20_000 + b";")


def test_a_gif_of_countless_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GIF in more blocks than the limit is refused."""
    monkeypatch.setattr(structure, "MAX_BLOCKS", 1000)
    whole = read("still.gif")
    with pytest.raises(PictureTooLarge, match="besides the picture"):
        hash_picture(whole[:-1] + b"\x21\xfe" + b"\1a" * 1000 + b"\0;")


@pytest.mark.parametrize(
    "extra", [chunk(b"teXt", b"") * 200_000, chunk(b"tEXt", b"k\0" + bytes(34_000_000))], ids=["many", "large"]
)
def test_a_png_with_too_much_besides(extra: bytes) -> None:
    """A PNG with countless or huge chunks at the front is refused."""
    whole = read("rgb.png")
    with pytest.raises(PictureTooLarge, match="besides the picture"):
        hash_picture(whole[:33] + extra + whole[33:])


def test_a_png_that_announces_countless_frames() -> None:
    """An animated PNG that announces more frames than the limit is refused."""
    whole = read("rgb.png")
    with pytest.raises(PictureTooLarge, match="frames"):
        hash_picture(whole[:33] + chunk(b"acTL", struct.pack(">II", 1_000_000, 0)) + whole[33:])


def test_a_webp_of_too_many_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """An animated WebP over the limit is refused; under it, its first frame is hashed."""
    first, second = Image.open(PICTURES / "rgb.png"), Image.new("RGB", (200, 150), "red")
    out = io.BytesIO()
    first.save(out, "WEBP", lossless=True, save_all=True, append_images=[second])
    assert pdq_of(out.getvalue()) == pdq_of(read("rgb.png"))
    monkeypatch.setattr(structure, "MAX_FRAMES", 1)
    with pytest.raises(PictureTooLarge, match="frames"):
        hash_picture(out.getvalue())


@pytest.mark.parametrize(
    "data",
    [with_segment(0xE5, b"", 10_000), with_segment(0xE1, b"Exif\0\0" + bytes(65_000), 600)],
    ids=["many", "large"],
)
def test_a_jpeg_with_too_much_besides(data: bytes) -> None:
    """A JPEG with countless or huge segments at the front is refused."""
    with pytest.raises(PictureTooLarge, match="besides the picture"):
        hash_picture(data)


def test_a_jpeg_drawn_in_countless_passes() -> None:
    """A progressive JPEG with repeated scans is refused."""
    whole = read("progressive.jpg")
    last = whole.rindex(b"\xff\xda")
    with pytest.raises(PictureTooLarge, match="passes"):
        hash_picture(whole[:-2] + whole[last:-2] * 200 + whole[-2:])


def test_a_jpeg_whose_exif_lies_over_itself() -> None:
    """EXIF with thousands of values over the same bytes is not read value by value; its orientation still applies."""
    entries = [(274, 3, 1, 6)] + [(tag, 1, 60_000, 8) for tag in range(1000, 5000)]
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory(entries)
    data = with_segment(0xE1, exif)
    assert (hash_picture(data).width, hash_picture(data).height) == (150, 200)


def test_a_tiff_whose_values_lie_over_each_other() -> None:
    """A TIFF whose fields together exceed the file's size counts as damaged and is not decoded."""
    entries = [(tag, 1, 5000, 8) for tag in range(1000, 2000)]
    with pytest.raises(DamagedPicture):
        hash_picture(b"II*\0" + struct.pack("<I", 8) + directory(entries))


def test_a_tiff_of_countless_pages() -> None:
    """A TIFF with more directories than the limit is refused; directories in a cycle are read once."""
    pages = b"".join(directory([], 8 + 6 * (number + 1)) for number in range(tiff.MAX_DIRECTORIES + 1))
    with pytest.raises(PictureTooLarge, match="pages"):
        hash_picture(b"II*\0" + struct.pack("<I", 8) + pages)
    with pytest.raises(DamagedPicture):
        hash_picture(b"II*\0" + struct.pack("<I", 8) + directory([(34665, 4, 1, 8)], 8))


def test_a_webp_that_is_some_other_riff() -> None:
    """A sound file that begins like a WebP is not taken for one."""
    with pytest.raises(PictureError) as caught:
        hash_picture(b"RIFF\x24\0\0\0WAVEfmt " + bytes(100))
    assert caught.value.code == "unknown-format"


@pytest.mark.parametrize("name", ["rgb.bmp", "deep.tiff", "palette-clear.png", "lossless.webp", "one-bit.png"])
@given(place=st.integers(0, 2**20), mask=st.integers(1, 255), cut=st.booleans())
@settings(max_examples=40)
def test_every_format_takes_damage(name: str, place: int, mask: int, cut: bool) -> None:
    """A changed byte, or a truncation anywhere, gives a result or one of our errors, and no warning."""
    data = bytearray(read(name))
    place %= min(len(data), 2000)
    data[place] ^= mask
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            hash_picture(bytes(data[:place] if cut else data))
        except PictureError as error:
            assert str(error)


def test_memory_that_runs_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running out of memory is reported as a picture too large for this machine."""

    def full(*_arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "crop", full)
    with pytest.raises(PictureTooLarge, match="memory"):
        hash_picture(read("rgb.png"))


def test_warnings_are_as_before_after_threads_overlap() -> None:
    """Hashing in several threads at once leaves the warning filters unchanged."""
    before = list(warnings.filters)
    threads = [threading.Thread(target=hash_picture, args=(read("rgb.tiff"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
