"""Recognises videos, and natively computes their signals. The only file that imports PyAV (the extra `video`).

The browser does the same with WebCodecs in `web/worker/video.js`: the same frames, the same arithmetic on their luma.
"""

import io
import math
import struct
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, cast

from takeback import how_to_install
from takeback.errors import DamagedPicture, PictureError, PictureTooLarge, SoundOnly, UnknownFormat
from takeback.hashing import sent
from takeback.hashing.boxes import BRANDS_BYTES, format_by_brands
from takeback.hashing.edits import Edit, edits_of, shown_frames
from takeback.hashing.exact import CHUNK_BYTES, exact_signals_of
from takeback.hashing.frames import FrameHashes, HashedFrame, chosen_thumbnails
from takeback.hashing.patches import patches_signals
from takeback.hashing.pdq import Pdq, Pixels, hash_pixels
from takeback.hashing.vpdq import looked_up_frames, round_milliseconds, sampled_frames, vpdq_signal
from takeback.signals import Signal

if TYPE_CHECKING:
    import numpy as np
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

MAX_PIXELS: Final = 36_000_000
"""Pixels of a frame: 8K (7680 x 4320) with room for a codec's padding."""
MAX_PACKETS: Final = 2_000_000
"""Frames of a video: nine hours at 60 a second. Only their times are kept, 16 bytes each."""
MAX_SECONDS: Final = 300.0
"""For reading one video, so that a file made to be slow ends too."""
SEEK_SECONDS: Final = 4.0
"""A frame further ahead than this is reached by seeking to its key frame instead of decoding everything before."""
SNIFF_BYTES: Final = BRANDS_BYTES
"""Bytes at the start of a file from which its type is detected."""

_OLD_ATOMS: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""First atoms of QuickTime files without a brand."""
_WHOLE_STARTS: Final = {
    b"\x1a\x45\xdf\xa3": "WEBM",
    b"FLV\x01": "FLV",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMV",
    b"\0\0\x01\xba": "MPEG",
}
"""First bytes of the other containers. Matroska counts as WEBM."""
_PACKETS: Final = ((0, 188), (4, 192))
"""Offset of the first packet, and packet length, of MPEG transport streams: of broadcasts, and of camcorders."""
_SYNC: Final = 0x47
"""The first byte of each packet."""
_DEMUXERS: Final = {
    "MP4": "mov", "MOV": "mov", "WEBM": "matroska", "AVI": "avi", "FLV": "flv", "WMV": "asf", "MPEG": "mpeg",
    "TS": "mpegts",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HashedVideo:
    """The signals of a video file: vpdq, if its frames can be decoded, and SHA-256 and MD5 of the file.

    `quality` is the best frame's, `None` without frames; `width` and `height` are upright, in pixels, or 0 if unknown.
    `fault` says why frames are missing: no decoder, a damaged file, or a limit. `frames` are those that a gate looks
    up, in the order in which they are shown; those that stand for the video have a thumbnail.
    """

    signals: tuple[Signal, ...]
    quality: int | None
    width: int
    height: int
    format: str
    fault: PictureError | None = None
    frames: tuple[HashedFrame, ...] = ()

    def sent(self) -> tuple[Signal, ...]:
        """Returns what a client sends: also the local hashes of the frames that stand for the video."""
        shown, exact = self.signals[:-2], self.signals[-2:]
        return sent((*shown, *patches_signals(chosen_thumbnails(self.frames)), *exact))


def video_format(start: bytes) -> str | None:
    """Returns the container, a key of `_DEMUXERS`, by the first `SNIFF_BYTES` bytes; `None` if it is no video."""
    for begin, kind in _WHOLE_STARTS.items():
        if start.startswith(begin):
            return kind
    if start.startswith(b"RIFF") and start[8:12] == b"AVI ":
        return "AVI"
    if any(start[at : at + 2 * size + 1 : size] == bytes([_SYNC] * 3) for at, size in _PACKETS):
        return "TS"
    atom, brand = start[4:8], start[8:12]
    if atom == b"ftyp" and brand and format_by_brands(start) is None:
        return "MOV" if brand == b"qt  " else "MP4"
    return "MOV" if atom in _OLD_ATOMS else None


def first_pixels(data: bytes, size: tuple[int, int]) -> "NDArray[np.uint8] | None":
    """Returns the first frame of a file as an array of rows, columns and RGB.

    Returns `None` without PyAV, or if FFmpeg's first frame does not have this `size`, width and height.
    """
    try:
        import av
    except ImportError:
        return None
    if size[0] * size[1] > MAX_PIXELS:
        return None
    with suppress(av.FFmpegError, StopIteration), av.open(io.BytesIO(data), "r", format="mov") as container:
        frame = next(container.decode(video=0))
        if (frame.width, frame.height) == size:
            return cast("NDArray[np.uint8]", frame.to_ndarray(format="rgb24"))
    return None


def hash_video(file: BinaryIO, patience: float = MAX_SECONDS, *, look_ups: bool = False) -> HashedVideo:
    """Hashes the video in `file`, which must be seekable and is left open.

    With `look_ups`, frames between the samples are hashed as well, for a gate.

    A video whose frames cannot be decoded gets only the exact signals; `fault` says why. Decoding the frames takes at
    most about `patience` seconds. Raises `UnknownFormat` if the file is no video or PyAV is not installed, and
    `SoundOnly` if it has no video track.
    """
    deadline = time.monotonic() + patience
    file.seek(0)
    kind = video_format(file.read(SNIFF_BYTES))
    if kind is None:
        raise UnknownFormat("this is not a video of a kind that can be read (MP4, MOV, WebM, AVI, MPEG, WMV, FLV)")
    file.seek(0)
    exact = exact_signals_of(file)
    size, fault = (0, 0), None
    wanted, shown, hashes = list[_Sample](), list[_Sample](), FrameHashes(keep_thumbnails=look_ups)
    try:
        with _our_errors():
            index = _read_index(file, kind, deadline)
            size = index.size
            wanted = _samples(index, sampled_frames)
            shown = _samples(index, looked_up_frames) if look_ups else wanted
            sent = {sample.start for sample in wanted}
            for start, pdq, upright in _hash_frames(file, kind, index, [sample.start for sample in shown], deadline):
                size = upright
                hashes.add(start, pdq, sampled=start in sent)
    # No video, only sound, or no PyAV. After any other fault the exact signals are still returned.
    except UnknownFormat:
        raise
    except PictureError as error:
        fault = error
    frames = [frame for s in wanted if (frame := hashes.frame(s.start, s.number, s.seconds))]
    if not frames:
        return HashedVideo(exact, None, *size, kind, fault or DamagedPicture("no frame of the video can be decoded"))
    quality = max(frame.quality for frame in frames)
    looked_up = hashes.frames((sample.start, sample.seconds) for sample in shown)
    return HashedVideo((vpdq_signal(frames), *exact), quality, *size, kind, fault, looked_up)


@dataclass(frozen=True, slots=True)
class _Index:
    """What a video's packets tell: when frames and key frames start, in rising ticks; `tick` is in seconds.

    `edits` are the edit list. `size` is as stored, in pixels; `decodes` is whether there is a decoder for the codec.
    """

    starts: list[int]
    keys: list[int]
    edits: list[Edit]
    tick: float
    size: tuple[int, int]
    decodes: bool


@contextmanager
def _opened(file: BinaryIO, kind: str) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Opens the container and its main video stream with the demuxer of `kind` alone, which opens no other file."""
    try:
        import av
    except ImportError as error:
        raise UnknownFormat(f"this is a video; to hash its frames: {how_to_install('video')}") from error
    file.seek(0)
    # edits.py applies the edit list, because FFmpeg reads it differently from browsers.
    options = {"ignore_editlist": "1"} if _DEMUXERS[kind] == "mov" else {}
    with av.open(file, "r", format=_DEMUXERS[kind], buffer_size=CHUNK_BYTES, options=options) as container:
        yield container, _main_stream(container)


def _main_stream(container: "InputContainer") -> "VideoStream":
    """The first video stream marked as default, else the first; cover pictures are skipped. Raises `SoundOnly`."""
    from av.stream import Disposition

    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise SoundOnly("this file has sound and no pictures")
    return next((stream for stream in streams if stream.disposition & Disposition.default), streams[0])


def _read_index(file: BinaryIO, kind: str, deadline: float) -> _Index:
    """Reads every packet and decodes none."""
    starts, keys = [], []
    edits = edits_of(file) if _DEMUXERS[kind] == "mov" else {}
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
        codec = cast("VideoCodecContext | None", stream.codec_context)  # None if there is no decoder
        width, height = (0, 0) if codec is None else (codec.width, codec.height)
        if width * height > MAX_PIXELS:
            raise PictureTooLarge(f"the video has over {MAX_PIXELS // 1_000_000} megapixels a frame")
        tick = float(stream.time_base or 0)
        # Sorted, because packets come in decoding order: a frame may follow later ones that it refers to.
        return _Index(sorted(starts), sorted(keys), edits.get(stream.id, []), tick, (width, height), codec is not None)


class _Sample(NamedTuple):
    """A frame to hash: its number among the frames shown, when it is shown, and its `start` in track ticks."""

    number: int
    seconds: float
    start: int


def _samples(index: _Index, choose: Callable[[Sequence[float]], list[int]]) -> list[_Sample]:
    """The frames to hash, which `choose` picks by when they are shown (PROTOCOL.md, "The frames of a video")."""
    if not index.starts:
        return []
    seen = shown_frames(index.starts, index.edits, MAX_PACKETS)
    seconds = [(at - seen[0].at) * index.tick for at, _ in seen]
    return [
        _Sample(number, round_milliseconds(seconds[number]), index.starts[seen[number].frame])
        for number in choose(seconds)
    ]


def _hash_frames(
    file: BinaryIO, kind: str, index: _Index, starts: Iterable[int], deadline: float
) -> Iterator[tuple[int, Pdq, tuple[int, int]]]:
    """Hashes the frames that start at `starts`, in track order, as far as they can be decoded; with their size."""
    if not index.decodes:
        return
    wanted = sorted(set(starts))  # an edit may show earlier frames again
    with _opened(file, kind) as (container, stream):
        stream.thread_type = "AUTO"
        for start, frame in zip(wanted, _frames_at(wanted, container, stream, index, deadline), strict=False):
            pixels = _pixels(frame)
            yield start, hash_pixels(pixels), (pixels.width, pixels.height)


def _frames_at(
    wanted: list[int], container: "InputContainer", stream: "VideoStream", index: _Index, deadline: float
) -> Iterator["VideoFrame"]:
    """For each rising time in `wanted`, the last frame that starts at or before it; fewer when decoding fails."""
    decoded = _decoded(container, stream, deadline)
    last, ahead = None, next(decoded, None)
    for at in wanted:
        key = index.keys[bisect_right(index.keys, at) - 1] if index.keys and index.keys[0] <= at else None
        if ahead is not None and key is not None and (key - (ahead.pts or 0)) * index.tick > SEEK_SECONDS:
            container.seek(key, stream=stream)
            decoded = _decoded(container, stream, deadline)
            last, ahead = None, next(decoded, None)
        while ahead is not None and ahead.pts is not None and ahead.pts <= at:
            last, ahead = ahead, next(decoded, None)
        if last is None or (ahead is None and (last.pts or 0) < at):  # the file ends before this frame
            return
        yield last


def _decoded(container: "InputContainer", stream: "VideoStream", deadline: float) -> Iterator["VideoFrame"]:
    """The frames from the container's position up to the first that cannot be decoded."""
    import av

    try:
        for frame in container.decode(stream):
            _check_time(deadline)
            # Only the frames before a fault count (PROTOCOL.md, "The frames of a video", rule 6).
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
    """The pixels of a frame that are hashed, upright: the upper 8 bits of its luma, or RGB if it has none."""
    import numpy as np

    form = frame.format
    if form.is_rgb or form.has_palette or form.is_big_endian:
        stored, layout = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), "RGB"
    else:
        # Whatever range the file declares, because PDQ does not depend on contrast (PROTOCOL.md, rule 3).
        plane, deeper = frame.planes[0], form.components[0].bits - 8
        values = np.frombuffer(plane, np.uint16 if deeper else np.uint8)
        # FFmpeg pads each row to `line_size` bytes.
        rows = values.reshape(-1, plane.line_size // values.itemsize)[: frame.height, : frame.width]
        stored, layout = np.right_shift(rows, deeper, dtype=rows.dtype).astype(np.uint8), "L"
    turns, mirrored = _marks(frame)
    turned = np.rot90(stored, -turns)
    upright = np.fliplr(turned) if mirrored else turned
    height, width = upright.shape[:2]
    return Pixels(width, height, layout, [upright.tobytes()])


def _marks(frame: "VideoFrame") -> tuple[int, bool]:
    """How many quarter turns clockwise the file asks for, and whether the frame is mirrored after that.

    `frame.rotation` mistakes a mirror for a turn.
    """
    from av.sidedata.sidedata import Type

    marked = frame.side_data.get(Type.DISPLAYMATRIX)
    if marked is None:
        return 0, False
    # A 3 x 3 matrix, row by row, in the machine's byte order.
    a, b, _, c, d = struct.unpack_from("=5i", bytes(marked))  # a pixel at x, y is shown at a x + c y, b x + d y
    mirrored = a * d < b * c
    return round(math.atan2(b, -a if mirrored else a) / (math.pi / 2)), mirrored


@contextmanager
def _our_errors() -> Iterator[None]:
    """Converts FFmpeg's exceptions to `PictureError`."""
    try:
        yield
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureTooLarge("there is not enough memory for this video") from error
    except Exception as error:  # decoders raise nearly any exception on a hostile file
        raise DamagedPicture("the video is cut short or broken inside") from error
