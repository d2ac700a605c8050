"""The interface for JavaScript, called by the sealed worker. All differences between CPython and Pyodide are here."""

import importlib
import json
from collections.abc import Callable
from typing import Final, NamedTuple

from takeback.errors import PictureError, PictureTooLarge
from takeback.hashing import HashedPicture, hash_opened, sent, with_variants
from takeback.hashing.boxes import primary_item
from takeback.hashing.decoders import Decoder, JavaScriptPicture, JavaScriptPixels, copy_bytes, decoders
from takeback.hashing.mend import mended_avif, still_of
from takeback.hashing.phash import phash_signals
from takeback.hashing.picture import Small, open_picture, sniff
from takeback.signals import Signal, Variant

type Decode = Callable[[object], JavaScriptPixels]
"""A decoder in JavaScript: takes the file and returns its pixels."""


def decoder_for(start: object) -> str:
    """Returns the format for which the page must supply a decoder, given the `start` of a file; empty if none."""
    try:
        name = sniff(copy_bytes(start))
    except PictureError:
        return ""
    return name if name in decoders else ""


def hash_to_json(data: object, on_step: Callable[[str], object] | None = None) -> str:
    """Hashes a single picture, as `Hashing.hash` does."""
    return Hashing().hash(data, on_step)


MAX_KEPT_BYTES: Final = 64 << 20
"""Files that are kept to be decoded again have so many bytes at most; a further one is decoded again at once."""


class _Kept(NamedTuple):
    """What phash needs of a picture. `shrink` holds so many `file_bytes`."""

    shrink: Callable[[], dict[Variant, Small]]
    file_bytes: int


class Hashing:
    """Hashes pictures one after another, and keeps what phash needs until numpy and imagehash have been loaded.

    A JPEG has to be decoded once more for phash, in colours, which takes longer than its other signals. So its file is
    kept, and decoded when nothing else is to be done.
    """

    def __init__(self) -> None:
        self._hashed: _Kept | None = None
        self._kept: dict[int, _Kept] = {}

    def hash(self, data: object, on_step: Callable[[str], object] | None = None, decode: Decode | None = None) -> str:
        """Hashes the file in `data`, a buffer or a JavaScript `Uint8Array`. Returns JSON, for invalid pictures as well.

        It is `{"signals": [...], "quality", "width", "height", "format", "orientation"}` with all signals but phash,
        and with `"incomplete": true` for a truncated or damaged file; or `{"error": {"code", "text"}}`. `decode` is
        given if `decoder_for` named a format.
        """
        # Releases the previous picture, which would otherwise stay in memory beside this one.
        self._hashed = None
        try:
            answer = self._hash(data, on_step or (lambda _step: None), decode)
        except PictureError as error:
            answer = {"error": {"code": error.code, "text": str(error)}}
        return _text(answer)

    def keep(self, number: int) -> None:
        """Keeps what phash needs of the picture hashed last, under `number`, and releases the picture."""
        hashed, self._hashed = self._hashed, None
        kept = hashed or _Kept(dict, 0)
        total = kept.file_bytes + sum(other.file_bytes for other in self._kept.values())
        self._kept[number] = kept if kept.file_bytes and total <= MAX_KEPT_BYTES else _shrunk(kept)

    def shrink_next(self) -> bool:
        """Decodes one of the kept files and releases it. Returns whether there was one."""
        number = next((number for number, kept in self._kept.items() if kept.file_bytes), None)
        if number is not None:
            self._kept[number] = _shrunk(self._kept[number])
        return number is not None

    def phash_to_json(self, number: int) -> str:
        """Returns the phash signals of picture `number` as JSON. numpy and imagehash must have been loaded."""
        importlib.invalidate_caches()  # they were unpacked after Python last listed the folder
        small = _shrunk(self._kept.pop(number)).shrink()
        return _text([_wire_signal(signal) for signal in sent(phash_signals(small))])

    def _hash(self, data: object, tell: Callable[[str], object], decode: Decode | None) -> dict[str, object]:
        """Computes all signals but phash. Raises `PictureError`."""
        try:
            file = copy_bytes(data)
        except MemoryError as error:
            raise PictureTooLarge(
                "there is not enough memory for this picture; close other programs or tabs"
            ) from error
        if not decode:
            tell("taken")  # JavaScript may now release its copy, which a decoder of its own would still need
        picture = open_picture(file, _decoder(data, decode) if decode else None)
        tell("decoded")
        hashed = with_variants(hash_opened(picture, file))
        tell("hashed")
        self._hashed = _Kept(picture.shrink, len(file) if picture.reads_again else 0)
        return _wire(hashed) | {"orientation": picture.orientation}


def _shrunk(kept: _Kept) -> _Kept:
    """Shrinks the picture, and releases it. A picture that cannot be decoded again has no phash."""
    try:
        small = kept.shrink()
    except PictureError:
        small = {}
    return _Kept(lambda: small, 0)


def _decoder(data: object, decode: Decode) -> Decoder:
    """Wraps JavaScript's decoder as a `Decoder`. It reads the file where JavaScript holds it."""

    def decoded(file: bytes) -> JavaScriptPicture:
        """Decodes the file. Raises `MemoryError` if JavaScript ran out of memory, or the decoder's own error."""
        try:
            pixels = _decoded(decode, data, file)
        except Exception as error:
            # JavaScript reports a failed allocation as a RangeError.
            if "RangeError" in str(error):
                raise MemoryError from error
            raise
        # libheif and libjxl apply the orientation, libavif leaves it to the caller.
        main = primary_item(file) if sniff(file) == "AVIF" else None
        return JavaScriptPicture(pixels, main.orientation if main else 1)

    return decoded


def _decoded(decode: Decode, data: object, file: bytes) -> JavaScriptPixels:
    """Decodes the file, repaired if it is an AVIF; of an animation that the decoder refuses, the still."""
    mended = mended_avif(file) if sniff(file) == "AVIF" else file
    try:
        return decode(data if mended is file else _to_javascript(mended))
    except Exception:
        still = still_of(mended)
        if still is mended:
            raise
        return decode(_to_javascript(still))


def _to_javascript(data: bytes) -> object:
    """Copies the bytes to a `Uint8Array`."""
    from pyodide.ffi import to_js  # type: ignore[import-not-found]  # exists only in the browser

    converted: object = to_js(data)
    return converted


def _wire(picture: HashedPicture) -> dict[str, object]:
    return {
        "signals": [_wire_signal(signal) for signal in picture.signals],
        "quality": picture.quality,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        **({"incomplete": True} if picture.incomplete else {}),
    }


def _wire_signal(signal: Signal) -> dict[str, object]:
    """The signal as PROTOCOL.md writes it: absent values and defaults are omitted."""
    wire: dict[str, object] = {"type": signal.type, "value": signal.value}
    if signal.quality is not None:
        wire["quality"] = signal.quality
    if signal.variant is not Variant.WHOLE:
        wire["variant"] = signal.variant
    return wire


def _text(answer: object) -> str:
    return json.dumps(answer, separators=(",", ":"))
