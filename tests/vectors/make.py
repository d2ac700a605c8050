"""`python tests/vectors/make.py`: draws the test pictures and writes vectors.json beside them.

The pictures are generated and CC0. Their PDQ and local hashes come from the numpy oracles on the pixels that Pillow
gives, not from the kernel they are there to check; for a JPEG the oracles hash the luma plane that the decoder gives.
"""

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Final

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageOps

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "py")]

from tests import oracle, patches_oracle  # noqa: E402

ORIENTATION: Final = 0x0112
TURNED: Final = range(2, 9)


def scene(width: int, height: int) -> Image.Image:
    """Waves, a disc and a bar in colour: detailed, smooth enough to compress, alike under no turn or mirror."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    x, y = x / width, y / height
    red = 128 + 90 * np.sin(9 * x + 14 * y * y) + 30 * np.cos(31 * x * y)
    green = 120 + 80 * np.cos(13 * y + 5 * x * x) + 45 * ((x - 0.3) ** 2 + (y - 0.6) ** 2 < 0.04)
    blue = 110 + 100 * np.sin(4 * x - 21 * y) * x
    red[(x > 0.7) & (y < 0.25)] = 20
    stack = np.stack([red, green, blue], -1)
    return Image.fromarray(np.clip(stack, 0, 255).astype(np.uint8))


def alpha(width: int, height: int) -> Image.Image:
    """A slanted fade from clear to solid."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(((x * 3 + y * 2) * 255 // (3 * width + 2 * height)).astype(np.uint8))


def loud() -> Image.Image:
    """Flat shapes in full colours, which a JPEG takes out of range: the grey of its colours is not its luma."""
    picture = Image.new("RGB", (200, 150), (255, 255, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((70, 80, 120, 120), fill=(0, 255, 255))
    pen.ellipse((60, 30, 130, 110), fill=(0, 255, 0))
    return picture


def rough(width: int, height: int) -> Image.Image:
    """Clouds of several sizes in grey, which have blobs everywhere."""
    noise = np.random.default_rng(1).integers(0, 256, (height, width), np.uint8)
    small, large = (
        ImageOps.autocontrast(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(blur))) for blur in (3, 8)
    )
    return Image.blend(small, large, 0.5)


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The file of `picture`."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def turned(orientation: int) -> Image.Exif:
    """EXIF with nothing but an orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def files() -> dict[str, bytes]:
    """Every good file by name."""
    colour, fade = scene(200, 150), alpha(200, 150)
    clear = colour.copy()
    clear.putalpha(fade)
    grey = colour.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    made = {
        "rgb.png": encode(colour, "PNG"),
        "rgba.png": encode(clear, "PNG"),
        "grey.png": encode(grey, "PNG"),
        "grey-alpha.png": encode(clear.convert("LA"), "PNG"),
        "palette.png": encode(colour.quantize(32), "PNG"),
        "palette-clear.png": encode(colour.quantize(32), "PNG", transparency=5),
        "one-bit.png": encode(grey.point(lambda v: 255 * (v > 128)).convert("1"), "PNG"),
        "deep.png": encode(deep, "PNG"),
        "turned-6.png": encode(colour, "PNG", exif=turned(6)),
        "lossless.webp": encode(colour, "WEBP", lossless=True),
        "lossy.webp": encode(colour, "WEBP", quality=70),
        "clear.webp": encode(clear, "WEBP", lossless=True),
        "still.gif": encode(colour.quantize(64), "GIF"),
        "moving.gif": encode(colour.quantize(64), "GIF", save_all=True, append_images=[scene(200, 150).rotate(180)]),
        "rgb.bmp": encode(colour, "BMP"),
        "rgb.tiff": encode(colour, "TIFF", compression="tiff_lzw"),
        "cmyk.tiff": encode(colour.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "deep.tiff": encode(deep, "TIFF", compression="tiff_lzw"),
        "colour.jpg": encode(colour, "JPEG", quality=85),
        "progressive.jpg": encode(colour, "JPEG", quality=75, progressive=True),
        "loud.jpg": encode(loud(), "JPEG", quality=50, subsampling=0),
        "grey.jpg": encode(grey, "JPEG", quality=85),
        "cmyk.jpg": encode(colour.convert("CMYK"), "JPEG", quality=85),
        "two.mpo": encode(colour, "MPO", save_all=True, append_images=[colour.rotate(180)]),
        "long.png": encode(scene(900, 33), "PNG"),
        "sixty-four.png": encode(scene(64, 64), "PNG"),
        "rough.png": encode(rough(220, 300), "PNG"),
        "tiny.png": encode(scene(4, 9), "PNG"),
        "flat.png": encode(Image.new("RGB", (90, 70), (77, 77, 77)), "PNG"),
    }
    for orientation in TURNED:
        made[f"turned-{orientation}.jpg"] = encode(colour, "JPEG", quality=85, exif=turned(orientation))
    return made


BROKEN: Final = {"cut.jpg": "damaged-picture", "cut.png": "damaged-picture", "text.jpg": "unknown-format"}


def broken(good: dict[str, bytes]) -> dict[str, bytes]:
    """Files that must give an error."""
    return {
        "cut.jpg": good["colour.jpg"][:2000],
        "cut.png": good["rgb.png"][:3000],
        "text.jpg": b"This is a text that calls itself a picture.\n",
    }


def upright_pixels(data: bytes) -> npt.NDArray[np.uint8]:
    """What a person sees, as Pillow's own tools give it: grey, or RGB over white."""
    image: Image.Image = Image.open(io.BytesIO(data))
    luma_only = image.format in {"JPEG", "MPO"} and image.mode == "RGB"
    if luma_only:
        image.draft("L", image.size)
    image.load()
    orientation = image.getexif().get(ORIENTATION, 1)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    elif image.mode not in {"L", "RGB"}:
        image = image.convert("L" if image.mode == "1" else "RGB")
    pixels = np.asarray(image)
    pixels = pixels if orientation < 5 else np.swapaxes(pixels, 0, 1)
    rows, columns = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[
        orientation
    ]
    return np.ascontiguousarray(pixels[::rows, ::columns])


def phash(data: bytes) -> str:
    """What imagehash makes of the file as a person sees it."""
    image: Image.Image = Image.open(io.BytesIO(data))
    if image.mode.startswith("I;16"):
        image = Image.fromarray(upright_pixels(data))
    return str(imagehash.phash(ImageOps.exif_transpose(image)))


def describe(name: str, data: bytes) -> dict[str, object]:
    """One vector."""
    pixels = upright_pixels(data)
    hashes, quality = oracle.pdq(pixels)
    with Image.open(io.BytesIO(data)) as image:
        kind = image.format
        moves = kind == "GIF" and getattr(image, "is_animated", False)
    return {
        "file": name,
        "format": kind,
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "quality": quality,
        "pdq": hashes["orig"],
        "dihedral": hashes,
        "phash": phash(data),
        "sent_patches": sorted(patches_oracle.sent(patches_oracle.thumbnail(oracle.luma(pixels)))),
        # All frames lie within the first second, of which the first is the sample.
        **({"vpdq": f"0,{quality},{hashes['orig']},0.000"} if moves else {}),
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }


def main() -> None:
    """Writes everything anew."""
    folder = HERE / "pictures"
    good = files()
    vectors = [describe(name, data) for name, data in good.items()]
    faults = broken(good)
    for name, data in {**good, **faults}.items():
        (folder / name).write_bytes(data)
    document = {"vectors": vectors, "errors": [{"file": name, "error": BROKEN[name]} for name in faults]}
    (HERE / "vectors.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
