"""The fingerprints that PHP computes, compared with those of `takeback.hashing`."""

import re
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from PIL import Image

from takeback.hashing import hash_picture
from takeback.lookup.reading import read_upload
from takeback.signals import hamming_distance
from tests import stills
from tests.gate.pictures import drawing, jpeg
from tests.integrations.php.client import calls

pytestmark = pytest.mark.timeout(300)

VECTORS: Final = Path(__file__).parents[2] / "vectors" / "pictures"
NEAR_BITS: Final = 10
NEAR_QUALITY: Final = 3


def read(*paths: Path, options: str = "") -> list[dict[str, Any]]:
    """What the client reads of files."""
    return calls(None, *[["read", path] for path in paths], options=options)


def saved(folder: Path, pictures: dict[str, Image.Image]) -> list[Path]:
    """The files of pictures by name."""
    for name, picture in pictures.items():
        picture.save(folder / name)
    return [folder / name for name in pictures]


def apart(told: dict[str, Any], path: Path) -> int:
    """The most bits by which a form's hash differs from ours; the qualities must be near."""
    ours = hash_picture(path.read_bytes())
    assert (told["kind"], told["notes"]) == ("picture", []), path.name
    whole = told["signals"][0]
    assert abs(whole["quality"] - ours.quality) <= NEAR_QUALITY, path.name
    assert told["dihedral"].keys() == ours.dihedral.keys()
    forms = [hamming_distance(told["dihedral"][name], value) for name, value in ours.dihedral.items()]
    return max(hamming_distance(whole["value"], ours.signals[0].value), *forms)


def test_the_vectors() -> None:
    """Every picture of the vectors is hashed as Python hashes it, within a few bits, or is unreadable in both."""
    unlike = {"cut.jpg": "unreadable", "cut.png": "unreadable", "tiny.png": "picture", "text.jpg": "not_media"}
    paths = sorted(VECTORS.iterdir())
    for path, told in zip(paths, read(*paths), strict=True):
        if path.name in unlike:
            assert (told["kind"], told["signals"]) == (unlike[path.name], []), path.name
        elif path.name == "moving.gif":
            assert (told["kind"], told["notes"][0][:15]) == ("animation", "of an animation")
        else:
            assert apart(told, path) <= NEAR_BITS, path.name


def test_small_pictures_have_the_same_bits(tmp_path: Path) -> None:
    """Of grey and coloured PNG files up to 512 x 512, also of graphics, hash, forms and quality are equal."""
    sizes = [(512, 512), (511, 300), (64, 64), (129, 257), (5, 5), (500, 7), (31, 400)]
    forms = [(mode, size) for mode in ("L", "RGB", "1", "P") for size in sizes]
    pictures = {f"{mode}-{size}.png": drawing(size[0], size).convert(mode) for mode, size in forms}
    paths = saved(tmp_path, pictures)
    for path, told in zip(paths, read(*paths), strict=True):
        ours = hash_picture(path.read_bytes())
        assert told["signals"][0]["value"] == ours.signals[0].value, path.name
        assert (told["signals"][0]["quality"], told["dihedral"]) == (ours.quality, ours.dihedral), path.name


def test_large_pictures_are_near(tmp_path: Path) -> None:
    """Photographs of up to 12 megapixels, turned ones and narrow ones are at most 10 bits away, with a like quality."""
    sizes = [(640, 480), (1024, 768), (1999, 1501), (4000, 3000), (5000, 300), (300, 2000), (513, 513)]
    files = {f"{wide}.jpg": jpeg(drawing(wide, (wide, high))) for wide, high in sizes}
    files["turned.jpg"] = jpeg(drawing(3, (1500, 900)), orientation=6)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    clear = drawing(4, (1200, 900))
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    plain = {"palette.png": drawing(5, (1200, 900)).quantize(64), "a.webp": drawing(6, (1200, 900)),
             "b.avif": drawing(7, (1200, 900)), "c.gif": drawing(8, (900, 1200)), "clear.png": clear}  # fmt: skip
    paths = [*(tmp_path / name for name in files), *saved(tmp_path, plain)]
    for path, told in zip(paths, read(*paths), strict=True):
        assert apart(told, path) <= NEAR_BITS, path.name


def test_what_stands_on_a_plain_ground(tmp_path: Path) -> None:
    """A picture between bars, or on a white page, is hashed by itself too, upright and mirrored, as by RemoteGate."""
    bars, page = Image.new("RGB", (1080, 1920), "black"), Image.new("RGB", (500, 400), "white")
    bars.paste(drawing(1, (1080, 810)), (0, 500))
    page.paste(drawing(2, (300, 200)), (120, 80))
    paths = saved(tmp_path, {"bars.png": bars, "page.png": page})
    for path, told in zip(paths, read(*paths), strict=True):
        ours = [one for one in read_upload(path.read_bytes()).signals if one.variant == "trimmed"]
        theirs = [one for one in told["signals"] if one.get("variant") == "trimmed"]
        assert len(ours) == len(theirs) == 2
        for one, other in zip(ours, theirs, strict=True):
            assert hamming_distance(one.value, other["value"]) <= NEAR_BITS + 6


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_pictures_over_a_limit(tmp_path: Path) -> None:
    """A picture of too many pixels, or too large for PHP's memory, is unreadable before it is decoded; so are scans."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
    (tmp_path / "bomb.png").write_bytes(bomb + chunk(b"IEND", b""))
    photo = jpeg(drawing(1, (4000, 3000)), 60)
    (tmp_path / "photo.jpg").write_bytes(photo)
    (tmp_path / "scans.jpg").write_bytes(jpeg(drawing(1))[:-2] + b"\xff\xda" * 100 + b"\xff\xd9")
    told = read(tmp_path / "bomb.png", tmp_path / "scans.jpg")
    assert [one["kind"] for one in told] == ["unreadable", "unreadable"]
    assert "50 megapixels" in told[0]["notes"][0]
    (little,) = read(tmp_path / "photo.jpg", options="-dmemory_limit=48M")
    assert "memory_limit" in little["notes"][0]
    (enough,) = read(tmp_path / "photo.jpg", options="-dmemory_limit=80M")
    assert apart(enough, tmp_path / "photo.jpg") <= NEAR_BITS


def test_pictures_with_little_memory(tmp_path: Path) -> None:
    """With little memory a small picture is reduced before it is hashed, and stays near."""
    (path,) = saved(tmp_path, {"a.png": drawing(1, (512, 512))})
    (told,) = read(path, options="-dmemory_limit=24M")
    assert apart(told, path) <= NEAR_BITS


def test_animations_are_told_from_pictures(tmp_path: Path) -> None:
    """Of an animation only the first frame is read, which its kind says, also if a GIF marks no frame."""
    frames = [drawing(number, (200, 150)) for number in range(3)]
    for name in ("a.gif", "b.png", "d.avif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
        frames[0].save(tmp_path / f"still-{name}")
    whole = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "c.gif").write_bytes(re.sub(rb"!\xf9\x04.{5}", b"", whole, flags=re.DOTALL))
    assert b"!\xf9\x04" not in (tmp_path / "c.gif").read_bytes()
    paths = sorted(tmp_path.iterdir())
    told = {path.name: one["kind"] for path, one in zip(paths, read(*paths), strict=True)}
    assert told == {path.name: "picture" if path.name.startswith("still") else "animation" for path in paths}
    frames[0].save(tmp_path / "e.webp", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "e.webp")[0]["kind"] == "unreadable"  # GD reads none


def test_damaged_files_give_no_warning(tmp_path: Path) -> None:
    """Whatever is broken in a file, it is hashed or unreadable; PHP warns of nothing and does not end."""
    numbers = Random(1)
    whole = [jpeg(drawing(1, (200, 150)), orientation=6), *(path.read_bytes() for path in sorted(VECTORS.iterdir()))]
    paths = []
    for number in range(300):
        data = bytearray(numbers.choice(whole))
        for _ in range(numbers.choice((1, 5, 50))):
            data[numbers.randrange(min(len(data), numbers.choice((64, 700, 1 << 20))))] = numbers.randrange(256)
        path = tmp_path / str(number)
        path.write_bytes(data[: numbers.choice((len(data), numbers.randrange(len(data))))])
        paths.append(path)
    kinds = {one["kind"] for one in read(*paths, options="-dmemory_limit=128M")}
    assert {"picture", "unreadable"} <= kinds <= {"picture", "animation", "unreadable", "not_media", "video"}


def test_kinds_of_files(tmp_path: Path) -> None:
    """Videos, and files that only claim to be pictures, are told from other files as Python does it."""
    starts = {
        "mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "mov": b"\0\0\0\x08wide", "webm": b"\x1aE\xdf\xa3",
        "avi": b"RIFF\0\0\0\0AVI LIST", "wav": b"RIFF\0\0\0\0WAVEfmt ", "flv": b"FLV\x01", "mpeg": b"\0\0\x01\xba",
        "ts": (b"G" + bytes(187)) * 4, "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pdf": b"%PDF-1.7",
        "svg": b"<svg/>", "jxl": b"\xff\x0a", "short": b"\0\0\0\x08ft", "ftyp": b"\0\0\0\x08ftyp",
    }  # fmt: skip
    for given in ("image/jpeg", "application/octet-stream"):
        for name, data in starts.items():
            (tmp_path / name).write_bytes(data + bytes(300))
        told = calls(None, *[["read", tmp_path / name, given] for name in starts])
        ours = [read_upload(data + bytes(300), given).kind for data in starts.values()]
        assert dict(zip(starts, (one["kind"] for one in told), strict=True)) == dict(zip(starts, ours, strict=True))


def test_heic_by_imagick(tmp_path: Path) -> None:
    """A HEIC picture is read by Imagick, and hashed as Python hashes it, upright and turned."""
    for turns in (0, 1):
        path = tmp_path / f"{turns}.heic"
        path.write_bytes(stills.heic(drawing(9, (900, 700)), turns))
        (told,) = read(path)
        assert apart(told, path) <= NEAR_BITS


def test_without_imagick() -> None:
    """Without Imagick a TIFF is unreadable, and the note says why."""
    (told,) = read(VECTORS / "rgb.tiff", options="-n -dextension=curl -dextension=gd")
    assert told["notes"] == ["unreadable: tiff cannot be decoded here"]
