"""The door for JavaScript: what the sealed worker calls. Every difference between CPython and Pyodide stands here."""

import json
from collections.abc import Callable

from takeback.errors import PictureError, PictureTooLarge
from takeback.hashing import HashedPicture, hash_opened, with_variants
from takeback.hashing.picture import open_picture
from takeback.signals import Signal, Variant


def hash_to_json(data: object, on_step: Callable[[str], object] | None = None) -> str:
    """Hashes the file in `data`, a buffer or a JavaScript `Uint8Array`. Gives JSON, for bad pictures as well.

    It is `{"signals": [...], "quality", "width", "height", "format"}` or `{"error": {"code", "text"}}`.
    """
    try:
        answer = _wire(_hash(_bytes_of(data), on_step or (lambda _step: None)))
    except PictureError as error:
        answer = {"error": {"code": error.code, "text": str(error)}}
    return json.dumps(answer, separators=(",", ":"))


def _hash(data: bytes, tell: Callable[[str], object]) -> HashedPicture:
    """All signals of a picture but phash. Raises `PictureError`."""
    picture = open_picture(data)
    tell("decoded")
    hashed = with_variants(hash_opened(picture, data))
    tell("hashed")
    return hashed


def _bytes_of(data: object) -> bytes:
    """The file, copied out of JavaScript's memory. Raises `PictureTooLarge` when it does not fit into ours."""
    to_bytes = getattr(data, "to_bytes", None)
    try:
        return to_bytes() if to_bytes else bytes(data)  # type: ignore[no-any-return, call-overload]
    except MemoryError as error:
        raise PictureTooLarge("there is not enough memory for this picture; close other programs or tabs") from error


def _wire(picture: HashedPicture) -> dict[str, object]:
    return {
        "signals": [_wire_signal(signal) for signal in picture.signals],
        "quality": picture.quality,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
    }


def _wire_signal(signal: Signal) -> dict[str, object]:
    """The signal as PROTOCOL.md writes it: what is absent or the default is left out."""
    wire: dict[str, object] = {"type": signal.type, "value": signal.value}
    if signal.quality is not None:
        wire["quality"] = signal.quality
    if signal.variant is not Variant.WHOLE:
        wire["variant"] = signal.variant
    return wire
