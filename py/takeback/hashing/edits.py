"""The edit list of an MP4: which frames are shown, and when. `web/worker/edits.js` does the same in the browser.

FFmpeg and mediabunny each interpret edit lists differently, so neither is asked to (ISO/IEC 14496-12, 8.6.6).
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

from takeback.errors import PictureTooLarge
from takeback.hashing.boxes import MAX_BOXES, boxes_of

MAX_INDEX_BYTES: Final = 1 << 26
"""Bytes read of an MP4's `moov`: the tables of two million frames take half of it."""
MAX_EDITS: Final = 10_000
"""Edits read of a track: one a second for three hours."""


class Edit(NamedTuple):
    """A part of a track that is shown, in track ticks: `start` is negative for a gap; `length` 0 means to the end."""

    start: int
    length: float


class Shown(NamedTuple):
    """A frame that is shown: its presentation time in ticks, and its index in the track."""

    at: float
    frame: int


class _Track(NamedTuple):
    """The boxes read of a `trak`: `tkhd`, `mdhd`, and `elst`, which may be absent."""

    header: bytes
    media: bytes
    edits: bytes


def shown_frames(starts: Sequence[int], edits: Sequence[Edit], most: int) -> list[Shown]:
    """Returns the frames that `edits` show, in order; all frames if there are no edits or they show none.

    `starts` are rising times in ticks. Raises `PictureTooLarge` for more than `most` frames.
    """
    found, now = list[Shown](), 0.0
    for start, length in edits:
        if start >= 0:
            first = bisect_left(starts, start)
            last = bisect_left(starts, start + length) if length else len(starts)
            if len(found) + last - first > most:
                raise PictureTooLarge(f"the video has over {most:,} frames")
            found += [Shown(now + starts[frame] - start, frame) for frame in range(first, last)]
        # Length 0 shows the rest of the track, and nothing follows (PROTOCOL.md, "The frames of a video", rule 1).
        if not length:
            break
        now += length
    return found or [Shown(start, frame) for frame, start in enumerate(starts)]


def edits_of(file: BinaryIO) -> dict[int, list[Edit]]:
    """Returns the edits of an MP4's tracks by track number; empty if they cannot be read."""
    try:
        index = _index(file)
        scale = _scale(next(content for name, content in boxes_of(index) if name == b"mvhd"))
        tracks = [_track(content) for name, content in boxes_of(index) if name == b"trak"]
        return {_number(track): _edits(track, scale) for track in tracks}
    except (StopIteration, KeyError, IndexError, struct.error):
        return {}


def _index(file: BinaryIO) -> bytes:
    """The content of `moov`. Raises `KeyError` if there is none."""
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
            return file.read(min(size - length, MAX_INDEX_BYTES) if size else MAX_INDEX_BYTES)
        # Size 0 means to the end of the file, and a size below its own header's is malformed: neither has a next box.
        if size < length:
            break
        at += size
    raise KeyError(b"moov")


def _track(content: bytes) -> _Track:
    parts = dict(boxes_of(content))
    edits = dict(boxes_of(parts.get(b"edts", b""))).get(b"elst", b"")
    return _Track(parts[b"tkhd"], dict(boxes_of(parts[b"mdia"]))[b"mdhd"], edits)


def _scale(header: bytes) -> int:
    """Ticks per second, from an `mvhd` or `mdhd`."""
    # Version 1 has times of 64 bits before this number, version 0 of 32 (ISO/IEC 14496-12, 8.2.2 and 8.4.2).
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0])


def _number(track: _Track) -> int:
    # The track's number, after the same times (ISO/IEC 14496-12, 8.3.2).
    return int(struct.unpack_from(">I", track.header, 20 if track.header[0] == 1 else 12)[0])


def _edits(track: _Track, movie: int) -> list[Edit]:
    """The edits of a track; `movie` is the ticks per second of their lengths."""
    # Starts are in the track's ticks already. A crafted `movie` may be 0.
    return [Edit(start, length * _scale(track.media) / max(movie, 1)) for length, start in _entries(track.edits)]


def _entries(box: bytes) -> Iterator[tuple[float, int]]:
    """Length and start of each complete entry of an `elst`; the rate is ignored, as in all players."""
    if len(box) < 8:
        return
    form = ">Qqi" if box[0] == 1 else ">Iii"
    (count,) = struct.unpack_from(">I", box, 4)
    whole = (len(box) - 8) // struct.calcsize(form)
    for number in range(min(count, whole, MAX_EDITS)):
        length, start, _speed = struct.unpack_from(form, box, 8 + number * struct.calcsize(form))
        yield float(length), start
