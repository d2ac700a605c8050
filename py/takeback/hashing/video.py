"""Videos: which files they are, and natively their signals. The only file that imports PyAV (the extra `video`).

The browser does the same in `web/worker/video.js` with WebCodecs: the same frames, the same arithmetic on their luma.
"""

import math
import struct
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from takeback import how_to_install
from takeback.errors import DamagedPicture, PictureError, PictureTooLarge, SoundOnly, UnknownFormat
from takeback.hashing.boxes import BRANDS_READ, kind_of
from takeback.hashing.exact import PIECE, exact_signals_of
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.hashing.vpdq import rounded, samples, vpdq_signal
from takeback.signals import Frame, Signal

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_PIXELS: Final = 36_000_000
"""Of a frame: 8K (7680 x 4320) with room for a codec's edges."""
MAX_PACKETS: Final = 2_000_000
"""Frames of a video: nine hours at 60 a second. Their times alone are kept, 16 bytes each."""
MAX_SECONDS: Final = 300.0
"""For reading one video, so that one made to be slow ends too."""
SEEK_SECONDS: Final = 4.0
"""A jump to a frame further off than this starts at the frame's own key frame instead of decoding all before it."""
SNIFFED: Final = BRANDS_READ
"""Bytes from the start of a file that tell what it is."""

_OLD_ATOMS: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""What a QuickTime file without a brand begins with."""
_DEMUXERS: Final = {"MP4": "mov", "MOV": "mov", "WEBM": "matroska"}


@dataclass(frozen=True, slots=True)
class HashedVideo:
    """What was found in a video: `signals` are vpdq, where its frames can be decoded, SHA-256 and MD5 of the file.

    `quality` is the best frame's, None without frames; `width` and `height` are upright, in pixels.
    """

    signals: tuple[Signal, ...]
    quality: int | None
    width: int
    height: int
    format: str


def video_format(start: bytes) -> str | None:
    """`MP4`, `MOV` or `WEBM` by the first `SNIFFED` bytes; None for anything else. Matroska counts as WEBM."""
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return "WEBM"
    atom, brand = start[4:8], start[8:12]
    if atom == b"ftyp" and brand and kind_of(start) is None:
        return "MOV" if brand == b"qt  " else "MP4"
    return "MOV" if atom in _OLD_ATOMS else None


def hash_video(file: BinaryIO, patience: float = MAX_SECONDS) -> HashedVideo:
    """The signals of the video in `file`, which can seek and is left open. Raises `PictureError` and nothing else.

    A video none of whose frames can be decoded has the exact ones alone. The frames take at most about `patience`
    seconds.
    """
    deadline = time.monotonic() + patience
    file.seek(0)
    kind = video_format(file.read(SNIFFED))
    if kind is None:
        raise UnknownFormat("this is not a video of a kind that can be read (MP4, MOV, WebM)")
    file.seek(0)
    exact = exact_signals_of(file)
    with _our_errors():
        index = _read_index(file, kind, deadline)
        hashed = list(_hash_frames(file, kind, index, deadline))
    if not hashed:
        return HashedVideo(exact, None, *index.size, kind)
    frames = [frame for frame, _ in hashed]
    width, height = hashed[0][1]
    quality = max(frame.quality for frame in frames)
    return HashedVideo((vpdq_signal(frames), *exact), quality, width, height, kind)


@dataclass(frozen=True, slots=True)
class _Index:
    """What a video's packets tell: when frames start and which are key frames, in ticks and rising; `tick` in seconds.

    `size` is as stored, in pixels; `decodes` whether there is a decoder for the codec.
    """

    starts: list[int]
    keys: list[int]
    tick: float
    size: tuple[int, int]
    decodes: bool


@contextmanager
def _opened(file: BinaryIO, kind: str) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """The container with its first video stream. Only the demuxer of `kind` is tried, and it opens nothing else."""
    try:
        import av
    except ImportError as error:
        raise UnknownFormat(f"this is a video; to hash its frames: {how_to_install('video')}") from error
    file.seek(0)
    with av.open(file, "r", format=_DEMUXERS[kind], buffer_size=PIECE) as container:
        if not container.streams.video:
            raise SoundOnly("this file has sound and no pictures")
        yield container, container.streams.video[0]


def _read_index(file: BinaryIO, kind: str, deadline: float) -> _Index:
    """Reads every packet and decodes nothing."""
    starts, keys = [], []
    with _opened(file, kind) as (container, stream):
        for packet in container.demux(stream):
            _check_time(deadline)
            if packet.pts is None or packet.is_discard or packet.is_corrupt:
                continue
            starts.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
            if len(starts) > MAX_PACKETS:
                raise PictureTooLarge(f"the video has over {MAX_PACKETS:,} frames")
        codec = cast("VideoCodecContext | None", stream.codec_context)  # without a decoder there is none
        width, height = (0, 0) if codec is None else (codec.width, codec.height)
        if width * height > MAX_PIXELS:
            raise PictureTooLarge(f"the video has over {MAX_PIXELS // 1_000_000} megapixels a frame")
        tick = float(stream.time_base or 0)
        return _Index(sorted(starts), sorted(keys), tick, (width, height), codec is not None)


def _hash_frames(file: BinaryIO, kind: str, index: _Index, deadline: float) -> Iterator[tuple[Frame, tuple[int, int]]]:
    """The frames to hash, hashed, as far as they can be decoded; each with its upright size."""
    if not index.decodes or not index.starts:
        return
    first = index.starts[0]
    numbers = samples([(start - first) * index.tick for start in index.starts])
    with _opened(file, kind) as (container, stream):
        stream.thread_type = "AUTO"
        wanted = [index.starts[number] for number in numbers]
        for number, frame in zip(numbers, _frames_at(wanted, container, stream, index, deadline), strict=False):
            pixels = _pixels(frame)
            pdq = hash_pixels(pixels)
            seconds = rounded((index.starts[number] - first) * index.tick)
            yield Frame(number, pdq.quality, pdq.hash, seconds), (pixels.width, pixels.height)


def _frames_at(
    wanted: list[int], container: "InputContainer", stream: "VideoStream", index: _Index, deadline: float
) -> Iterator["VideoFrame"]:
    """For each of the rising times `wanted` the last frame that starts at or before it; fewer when decoding fails."""
    decoded = _decoded(container, stream, deadline)
    shown, ahead = None, next(decoded, None)
    for at in wanted:
        key = index.keys[bisect_right(index.keys, at) - 1] if index.keys and index.keys[0] <= at else None
        if ahead is not None and key is not None and (key - (ahead.pts or 0)) * index.tick > SEEK_SECONDS:
            container.seek(key, stream=stream)
            decoded = _decoded(container, stream, deadline)
            shown, ahead = None, next(decoded, None)
        while ahead is not None and ahead.pts is not None and ahead.pts <= at:
            shown, ahead = ahead, next(decoded, None)
        if shown is None:
            return
        yield shown


def _decoded(container: "InputContainer", stream: "VideoStream", deadline: float) -> Iterator["VideoFrame"]:
    """The frames from where the container stands, up to the first that cannot be decoded."""
    import av

    try:
        for frame in container.decode(stream):
            _check_time(deadline)
            if frame.is_corrupt:
                return
            if frame.pts is not None:
                yield frame
    except av.FFmpegError:
        return


def _check_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise PictureTooLarge("reading the video takes too long; make a shorter or a smaller copy and try that")


def _pixels(frame: "VideoFrame") -> Pixels:
    """What of a frame is hashed, upright: the upper 8 bits of its luma, or RGB where it has none."""
    import numpy as np

    form = frame.format
    if form.is_rgb or form.has_palette or form.is_big_endian:
        stored, layout = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), "RGB"
    else:
        plane, deeper = frame.planes[0], form.components[0].bits - 8
        values = np.frombuffer(plane, np.uint16 if deeper else np.uint8)
        rows = values.reshape(-1, plane.line_size // values.itemsize)[: frame.height, : frame.width]
        stored, layout = np.right_shift(rows, deeper, dtype=rows.dtype).astype(np.uint8), "L"
    turns, mirrored = _marks(frame)
    turned = np.rot90(stored, -turns)
    upright = np.fliplr(turned) if mirrored else turned
    height, width = upright.shape[:2]
    return Pixels(width, height, layout, [upright.tobytes()])


def _marks(frame: "VideoFrame") -> tuple[int, bool]:
    """By how many quarters clockwise the file wants the frame turned, and whether mirrored after that.

    `frame.rotation` takes a mirror for a turn.
    """
    from av.sidedata.sidedata import Type

    marked = frame.side_data.get(Type.DISPLAYMATRIX)
    if marked is None:
        return 0, False
    a, b, _, c, d = struct.unpack_from("=5i", bytes(marked))  # a pixel at x, y is shown at a x + c y, b x + d y
    mirrored = a * d < b * c
    return round(math.atan2(b, -a if mirrored else a) / (math.pi / 2)), mirrored


@contextmanager
def _our_errors() -> Iterator[None]:
    """Whatever FFmpeg raises becomes one of ours."""
    try:
        yield
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureTooLarge("there is not enough memory for this video") from error
    except Exception as error:  # a hostile file makes decoders raise nearly anything
        raise DamagedPicture("the video is cut short or broken inside") from error
