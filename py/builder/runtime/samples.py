"""Pictures of every supported format, valid, unusual and damaged, that cover all code needed to hash a file.

Hashing them shows which modules must ship, and checks that the shipped ones suffice.
"""

import io
import random
from pathlib import Path
from typing import Final

import numpy as np
from imagecodecs import jpegxl_encode
from PIL import Image

from builder.runtime.heic import heic

SIZE: Final = (160, 120)
_SEED: Final = 1


def write_samples(folder: Path) -> list[Path]:
    """Writes one file per sample into `folder`; returns their paths."""
    paths = []
    for name, data in samples().items():
        path = folder / name
        path.write_bytes(data)
        paths.append(path)
    return paths


def samples(seed: int = _SEED) -> dict[str, bytes]:
    """Returns the samples by name, other ones for each seed. Each valid file is repeated cut in half, and damaged."""
    whole = {name: _save(picture, **ways) for name, (picture, ways) in _pictures(seed).items()}
    colour, _ = _pictures(seed)["colour.png"]
    whole |= {f"turned-{turns}.heic": heic(colour, turns, mirror) for turns, mirror in ((0, None), (1, 0), (2, None))}
    whole |= {"colour.jxl": bytes(jpegxl_encode(np.asarray(colour), level=90, effort=3))}
    cut = {f"cut-{name}": data[: len(data) // 2] for name, data in whole.items()}
    noise = random.Random(_SEED).randbytes(4096)  # noqa: S311
    broken = {f"broken-{name}": data[:200] + noise[:300] + data[500:] for name, data in whole.items()}
    return {**whole, **cut, **broken, "empty": b"", "noise": noise, "text": b"not a picture\n", "huge.png": _huge()}


def _pictures(seed: int) -> dict[str, tuple[Image.Image, dict[str, object]]]:
    """Pictures, and the options to save each with."""
    drawn = np.random.default_rng(seed).normal(128, 64, (SIZE[1], SIZE[0]))
    noise = Image.fromarray(drawn.clip(0, 255).astype(np.uint8))
    colour = Image.merge(
        "RGB", (noise, Image.linear_gradient("L").resize(SIZE), Image.radial_gradient("L").resize(SIZE))
    )
    clear = colour.copy()
    clear.putalpha(noise)
    turned = Image.Exif()
    turned[0x0112] = 6
    jpeg: dict[str, object] = {"format": "JPEG", "quality": 85}
    tiff: dict[str, object] = {"format": "TIFF"}
    avif: dict[str, object] = {"format": "AVIF", "speed": 10}
    return {
        "colour.jpg": (colour, jpeg),
        "turned.jpg": (colour, {**jpeg, "exif": turned}),
        "progressive.jpg": (colour, {**jpeg, "progressive": True}),
        "grey.jpg": (noise, jpeg),
        "cmyk.jpg": (colour.convert("CMYK"), jpeg),
        "two.mpo": (colour, {"format": "MPO", "save_all": True, "append_images": [noise.convert("RGB")]}),
        "colour.png": (colour, {"format": "PNG"}),
        "turned.png": (colour, {"format": "PNG", "exif": turned}),
        "clear.png": (clear, {"format": "PNG"}),
        "grey-clear.png": (clear.convert("LA"), {"format": "PNG"}),
        "palette.png": (colour.quantize(64), {"format": "PNG", "transparency": 3}),
        "bits.png": (noise.convert("1"), {"format": "PNG"}),
        "deep.png": (noise.convert("I;16"), {"format": "PNG"}),
        "moving.png": (colour, {"format": "PNG", "save_all": True, "append_images": [noise.convert("RGB")]}),
        "colour.webp": (colour, {"format": "WEBP"}),
        "clear.webp": (clear, {"format": "WEBP", "lossless": True, "exif": turned}),
        "moving.webp": (colour, {"format": "WEBP", "save_all": True, "append_images": [noise.convert("RGB")]}),
        "moving.gif": (colour.quantize(32), {"format": "GIF", "save_all": True, "append_images": [noise.convert("P")]}),
        "colour.bmp": (colour, {"format": "BMP"}),
        "palette.bmp": (colour.quantize(16), {"format": "BMP"}),
        "colour.avif": (colour, avif),
        "clear.avif": (clear, {**avif, "exif": turned}),
        "moving.avif": (colour, {**avif, "save_all": True, "append_images": [noise.convert("RGB")]}),
        "plain.tiff": (colour, tiff),
        "lzw.tiff": (colour, {**tiff, "compression": "tiff_lzw"}),
        "deflate.tiff": (clear, {**tiff, "compression": "tiff_adobe_deflate"}),
        "jpeg.tiff": (colour, {**tiff, "compression": "jpeg"}),
        "fax.tiff": (noise.convert("1"), {**tiff, "compression": "group4"}),
        "deep.tiff": (noise.convert("I;16"), tiff),
        "float.tiff": (noise.convert("F"), tiff),
        "cmyk.tiff": (colour.convert("CMYK"), tiff),
        "turned.tiff": (colour, {**tiff, "exif": turned}),
    }


def _save(picture: Image.Image, **ways: object) -> bytes:
    """The bytes of a file."""
    out = io.BytesIO()
    picture.save(out, **ways)  # type: ignore[arg-type]
    return out.getvalue()


def _huge() -> bytes:
    """A small PNG that claims 60,000 x 60,000 pixels."""
    data = bytearray(_save(Image.new("L", (1, 1)), format="PNG"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(data)
