"""The edit list of an MP4: which of its frames are shown, and when. `web/worker/edits.js` is the same for the browser.

FFmpeg and mediabunny read edit lists each in their own way, so neither is let near them (ISO/IEC 14496-12, 8.6.6).
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

from takeback.errors import PictureTooLarge
from takeback.hashing.boxes import MAX_BOXES, boxes_of

MAX_INDEX: Final = 1 << 26
"""Bytes of an MP4's `moov`: the tables of two million frames take half of it."""
MAX_EDITS: Final = 10_000
"""Edits of a track that are looked at: one a second for three hours."""


class Edit(NamedTuple):
    """A part of a track that is shown, in its ticks: `start`, negative for a gap, and `length`, 0 for all the rest."""

    start: int
    length: float


class Shown(NamedTuple):
    """A frame that is shown: at how many ticks of the presentation, and which it is."""

    at: float
    frame: int


@dataclass(frozen=True, slots=True)
class _Track:
    """What of a `trak` box is read: `tkhd`, `mdhd`, and `elst`, which may be absent."""

    header: bytes
    media: bytes
    edits: bytes


def shown(starts: Sequence[int], edits: Sequence[Edit], most: int) -> list[Shown]:
    """The frames that `edits` show, in order; all of them where there are no edits or these show nothing.

    `starts` are ticks and rise. Raises `PictureTooLarge` for more than `most`.
    """
    found, now = list[Shown](), 0.0
    for start, length in edits:
        if start >= 0:
            first = bisect_left(starts, start)
            last = bisect_left(starts, start + length) if length else len(starts)
            if len(found) + last - first > most:
                raise PictureTooLarge(f"the video has over {most:,} frames")
            found += [Shown(now + starts[frame] - start, frame) for frame in range(first, last)]
        if not length:
            break
        now += length
    return found or [Shown(start, frame) for frame, start in enumerate(starts)]


def edits_of(file: BinaryIO) -> dict[int, list[Edit]]:
    """The edits of an MP4's tracks by the tracks' numbers; none where they cannot be read."""
    try:
        index = _index(file)
        scale = _scale(next(content for name, content in boxes_of(index) if name == b"mvhd"))
        tracks = [_track(content) for name, content in boxes_of(index) if name == b"trak"]
        return {_number(track): _edits(track, scale) for track in tracks}
    except (StopIteration, KeyError, IndexError, struct.error):
        return {}


def _index(file: BinaryIO) -> bytes:
    """The content of `moov`. Raises `KeyError` where there is none."""
    at = 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        size, name = struct.unpack_from(">I4s", head)
        length = 8
        if size == 1:
            (size,), length = struct.unpack_from(">Q", head, 8), 16
        if name == b"moov":
            file.seek(at + length)
            return file.read(min(size - length, MAX_INDEX) if size else MAX_INDEX)
        if size < length:
            break
        at += size
    raise KeyError(b"moov")


def _track(content: bytes) -> _Track:
    parts = dict(boxes_of(content))
    edits = dict(boxes_of(parts.get(b"edts", b""))).get(b"elst", b"")
    return _Track(parts[b"tkhd"], dict(boxes_of(parts[b"mdia"]))[b"mdhd"], edits)


def _scale(header: bytes) -> int:
    """Ticks a second, by an `mvhd` or an `mdhd`."""
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0])


def _number(track: _Track) -> int:
    return int(struct.unpack_from(">I", track.header, 20 if track.header[0] == 1 else 12)[0])


def _edits(track: _Track, movie: int) -> list[Edit]:
    """The edits of a track; `movie` is in how many ticks a second their lengths are written."""
    return [Edit(start, length * _scale(track.media) / max(movie, 1)) for length, start in _entries(track.edits)]


def _entries(box: bytes) -> Iterator[tuple[float, int]]:
    """Length and start of each entry of an `elst` that is whole; the speed is not looked at, as in no player."""
    if len(box) < 8:
        return
    form = ">Qqi" if box[0] == 1 else ">Iii"
    (count,) = struct.unpack_from(">I", box, 4)
    whole = (len(box) - 8) // struct.calcsize(form)
    for number in range(min(count, whole, MAX_EDITS)):
        length, start, _speed = struct.unpack_from(form, box, 8 + number * struct.calcsize(form))
        yield float(length), start
