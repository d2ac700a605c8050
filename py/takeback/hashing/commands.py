"""`takeback hash`: prints the signals of picture files."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import click

from takeback.errors import PictureError
from takeback.hashing import HashedPicture, hash_picture, with_variants
from takeback.hashing.picture import MAX_BYTES
from takeback.hashing.video import SNIFF_BYTES, HashedVideo, hash_video, video_format
from takeback.signals import SignalType, Variant, frames_of


@click.command("hash")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def hash_files(files: tuple[str, ...], as_json: bool) -> None:
    """Print the signals of each picture or video FILE; `-` reads a picture from standard input.

    If a file cannot be hashed, an error is printed, the remaining files are still hashed, and the exit status is 1.
    """
    failed = False
    for file in files:
        try:
            picture = _hash(file)
        except (PictureError, OSError) as error:
            failed = True
            code, text = _explain(error)
            fault = {"file": file, "error": {"code": code, "text": text}}
            click.echo(json.dumps(fault) if as_json else f"error  {file}: {text}", err=not as_json)
        else:
            click.echo(json.dumps(_describe(file, picture)) if as_json else _line(file, picture))
    if failed:
        raise SystemExit(1)


def _hash(file: str) -> HashedPicture | HashedVideo:
    """Hashes a file. Videos are read in chunks; standard input must be a picture, because it cannot seek."""
    if file != "-":
        with Path(file).open("rb") as opened:
            if video_format(opened.read(SNIFF_BYTES)):
                video = hash_video(opened)
                return replace(video, signals=video.sent())
    return with_variants(hash_picture(_read(file)))


def _read(file: str) -> bytes:
    """The file's bytes, but of a file over the limit only enough for the size check to refuse it."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def _explain(error: PictureError | OSError) -> tuple[str, str]:
    if isinstance(error, PictureError):
        return error.code, str(error)
    return "unreadable-file", f"cannot be read: {error.strerror or error}"


def _describe(file: str, picture: HashedPicture | HashedVideo) -> dict[str, object]:
    whole = {signal.type: signal.value for signal in picture.signals if signal.variant is Variant.WHOLE}
    others: dict[str, dict[str, str]] = {}
    for signal in picture.signals:
        if signal.variant is not Variant.WHOLE:
            others.setdefault(signal.variant, {})[signal.type] = signal.value
    fault = picture.fault if isinstance(picture, HashedVideo) else None
    return {
        "file": file,
        "signals": whole,
        "quality": picture.quality,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        **({"incomplete": True} if _is_incomplete(picture) else {}),
        **({"variants": others} if others else {}),
        **({"fault": {"code": fault.code, "text": str(fault)}} if fault else {}),
    }


def _line(file: str, picture: HashedPicture | HashedVideo) -> str:
    # Reversed, so that the first signal of each type stays, which is that of the whole picture.
    values = {signal.type: signal.value for signal in reversed(picture.signals)}
    size = f"{picture.width}x{picture.height}"
    if isinstance(picture, HashedVideo):
        frames = len(frames_of(values[SignalType.VPDQ])) if SignalType.VPDQ in values else 0
        said = f"{values[SignalType.MD5]}  md5, {frames} frames hashed" + (
            f" ({picture.fault})" if picture.fault else ""
        )
        return f"{said:88}  quality {picture.quality or 0:3}  {picture.format:4}  {size:>11}  {file}"
    known = SignalType.PDQ in values
    said = values[SignalType.PDQ] if known else f"{values[SignalType.MD5]}  md5, no detail to hash"
    hashes = f"{said:64}  phash {values.get(SignalType.PHASH, '-'):16}"
    note = "  (incomplete: hashed as far as it goes)" if _is_incomplete(picture) else ""
    return f"{hashes}  quality {picture.quality:3}  {picture.format:4}  {size:>11}  {file}{note}"


def _is_incomplete(picture: HashedPicture | HashedVideo) -> bool:
    """Whether the picture's file is truncated or damaged."""
    return isinstance(picture, HashedPicture) and picture.incomplete
