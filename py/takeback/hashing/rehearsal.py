"""Loads everything that hashing may need, by hashing a file of each format, before a process gives up opening files."""

import gc
import io
from contextlib import suppress
from importlib.util import find_spec

from PIL import Image

from takeback.errors import PictureError
from takeback.hashing import hash_picture
from takeback.hashing.video import hash_video

_SIDE = 64


def load_all() -> None:
    """Loads all decoders. Afterwards, hashing opens no file and imports nothing."""
    import pi_heif
    from imagecodecs import jpegxl_decode

    for decoder in (jpegxl_decode, pi_heif.HeifImageFile):
        # An empty file is refused, but by then the library is loaded.
        with suppress(Exception):
            decoder(b"")
    for data in _samples():
        with suppress(PictureError):
            hash_picture(data)
    if find_spec("av"):
        hash_video(_video())
    gc.collect()  # ends the decoders' threads: the process must be single-threaded
    # The process collects garbage after each file; what is loaded now need not be walked again.
    gc.freeze()


def _samples() -> list[bytes]:
    """A drawn picture in each format that Pillow writes, in the modes with code of their own, still and animated."""
    grey = Image.radial_gradient("L").resize((_SIDE, _SIDE))
    colour = Image.merge("RGB", (grey, grey.rotate(90), grey))
    clear = Image.merge("RGBA", (*colour.split(), grey))
    deep = grey.convert("I;16")
    stills = [
        *((kind, colour) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")),
        *((kind, clear) for kind in ("PNG", "WEBP", "TIFF")),
        *(("PNG", image) for image in (colour.quantize(), deep, grey.convert("1"))),
        *(("TIFF", image) for image in (deep, colour.convert("CMYK"), colour.convert("LAB"), grey.convert("F"))),
        ("JPEG", colour.convert("CMYK")),
    ]
    turned = Image.Exif()
    turned[0x0112] = 6
    saved = [_saved(kind, image, exif=turned) for kind, image in stills]
    moving = [_saved(kind, colour, save_all=True, append_images=[grey.convert("RGB")]) for kind in ("GIF", "WEBP")]
    return [*saved, *moving, _saved("AVIF", colour, speed=10)]


def _video() -> io.BytesIO:
    """A video of one grey frame. It uses MPEG-4, because the system's FFmpeg may lack better encoders."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", 25)
        stream.width = stream.height = _SIDE
        stream.pix_fmt = "yuv420p"
        for frame in (av.VideoFrame(_SIDE, _SIDE, "yuv420p"), None):
            container.mux(stream.encode(frame))
    return out


def _saved(kind: str, image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    with suppress(KeyError, OSError, ValueError):  # this Pillow lacks the encoder
        image.save(out, kind, **options)
    return out.getvalue()
