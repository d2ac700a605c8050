"""`python tests/vectors/make_videos.py`: draws the test videos and writes `vpdq.json`, what their sampling must give.

The videos are generated and CC0. Their encoders differ by version, so the files themselves are kept.
"""

import json
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, cycle, islice
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "py")]

from takeback.hashing.edits import Edit, shown_frames  # noqa: E402
from takeback.hashing.vpdq import sampled_frames  # noqa: E402
from tests.stills import places, put  # noqa: E402

WIDTH, HEIGHT = 192, 144
MARKS: Final = {
    "turned-90": (0, 1, -1, 0), "turned-180": (-1, 0, 0, -1), "turned-270": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1), "turned-90-mirrored": (0, 1, 1, 0),
}  # fmt: skip
"""The upper left of a track's matrix: turned clockwise by so many degrees, then left and right swapped."""

type Colours = npt.NDArray[np.uint8]


def scene(second: float) -> Colours:
    """A frame as pale as a photograph: waves that drift, others every second; alike under no turn or mirror."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    x, y, step = x / WIDTH, y / HEIGHT, int(second)
    drift = second / 9
    red = 128 + 90 * np.sin((9 + step) * x + 14 * y * y + drift) + 30 * np.cos((31 - 5 * step) * x * y)
    green = 120 + 80 * np.cos((13 - step) * y + 5 * x * x) + 45 * ((x - 0.3 - drift) ** 2 + (y - 0.6) ** 2 < 0.04)
    blue = 110 + 100 * np.sin((4 + 3 * step) * x - 21 * y) * x
    red[(x > 0.7) & (y < 0.25)] = 20
    colours = np.stack([red, green, blue], -1)
    pale = 0.3 * colours + 0.7 * colours.mean(-1, keepdims=True)
    return np.asarray(np.clip(pale, 0, 255), np.uint8)


def still(_second: float) -> Colours:
    """The same frame for ever."""
    return scene(1)


@dataclass(frozen=True)
class Recipe:
    """How a video is encoded."""

    codec: str
    options: Mapping[str, str]
    draw: Callable[[float], Colours] = scene
    frames: int = 40
    rate: Fraction = Fraction(10)
    format: str = "yuv420p"
    container: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] = (WIDTH, HEIGHT)
    step: Sequence[int] = (1,)
    """By how many frames' times each frame follows the one before, again and again."""

    def write(self, path: Path) -> None:
        """Makes the file."""
        with av.open(str(path), "w", container_options=dict(self.container)) as out:
            stream: Any = out.add_stream(self.codec, rate=self.rate, options=dict(self.options))
            stream.width, stream.height, stream.pix_fmt = *self.size, self.format
            for number in accumulate(islice(cycle(self.step), self.frames - 1), initial=0):
                colours = av.VideoFrame.from_ndarray(self.draw(float(number / self.rate)), format="rgb24")
                frame = colours.reformat(*self.size, format=self.format)
                frame.pts, frame.time_base = number, 1 / self.rate
                out.mux(stream.encode(frame))
            out.mux(stream.encode())


def marked(source: Path, path: Path, mark: str) -> None:
    """The same video with the mark of a phone that was held another way, or whose camera looks at the person."""
    data = bytearray(source.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40
    a, b, c, d = MARKS[mark]
    data[matrix : matrix + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def cut(source: Path, path: Path, seconds: float) -> None:
    """The same video whose edit list leaves out its beginning."""
    data = bytearray(source.read_bytes())
    scale = struct.unpack_from(">I", data, data.find(b"mdhd") + 4 + 12)[0]
    place = data.find(b"elst") + 4 + 12
    (begin,) = struct.unpack_from(">i", data, place)
    struct.pack_into(">i", data, place, begin + round(seconds * scale))
    path.write_bytes(data)


def box(name: bytes, *content: bytes) -> bytes:
    """A box of an MP4."""
    return struct.pack(">I4s", 8 + sum(map(len, content)), name) + b"".join(content)


def edited(source: Path, path: Path, edits: Sequence[tuple[float, float]]) -> None:
    """The same video with these edits: how many seconds of it are shown, and from where; from -1 is a gap."""
    data = bytearray(source.read_bytes())
    scales = [struct.unpack_from(">I", data, data.find(name) + 4 + 12)[0] for name in (b"mvhd", b"mdhd")]
    old = places(data, (b"moov", b"trak", b"edts"))[-1]
    (begin,) = struct.unpack_from(">i", data, data.find(b"elst") + 4 + 12)
    data[old + 4 : old + 8] = b"free"
    entries = [
        struct.pack(">IiI", round(length * scales[0]), -1 if start < 0 else begin + round(start * scales[1]), 1 << 16)
        for length, start in edits
    ]
    put(data, (b"moov", b"trak"), box(b"edts", box(b"elst", struct.pack(">II", 0, len(entries)), *entries)))
    path.write_bytes(data)


def coloured(source: Path, path: Path) -> None:
    """The same video with colours in 18 bytes where 19 are due, as old encoders write them."""
    data = bytearray(source.read_bytes())
    description = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
    put(data, description, box(b"colr", b"nclx", struct.pack(">3H", 1, 1, 1)))
    path.write_bytes(data)


def halved(source: Path, path: Path) -> None:
    """The same video without the second half of the file."""
    data = source.read_bytes()
    path.write_bytes(data[: len(data) // 2])


EDITS: Final = {
    "two-edits.mov": [(1.0, 0.0), (1.2, 2.5)],
    "backwards.mov": [(1.3, 2.0), (1.0, 0.5), (0.7, 2.0)],
    "gap.mov": [(0.5, -1), (1.0, 0.3), (1.5, -1), (0.6, 3.0)],
    "no-edit.mov": [(1.0, 90.0)],
    "endless.mov": [(1.0, 2.0), (0.0, 1.0)],
}
"""Edit lists, each of `h264.mov`: seconds that are shown, and from where."""
X264: Final = {"crf": "30", "preset": "veryslow", "g": "25", "bf": "3"}
UNEVEN: Final = (1, 1, 7, 1, 2)
FRAGMENTS: Final = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
RECIPES: Final = {
    "h264.mp4": Recipe("libx264", X264, rate=Fraction(30000, 1001), frames=100),
    "h264.mov": Recipe("libx264", X264),
    "full-range.mp4": Recipe("libx264", X264, format="yuvj420p"),
    "still.mp4": Recipe("libx264", X264, still),
    "slow.mp4": Recipe("libx264", X264, rate=Fraction(1, 3), frames=4),
    "fragments.mp4": Recipe("libx264", X264, container=FRAGMENTS),
    "fast-start.mp4": Recipe("libx264", X264, container={"movflags": "faststart"}),
    "uneven.mp4": Recipe("libx264", X264, step=UNEVEN),
    "h264.ts": Recipe("libx264", X264),
    "h264.mkv": Recipe("libx264", X264),
    "mpeg4.3gp": Recipe("mpeg4", {"b": "150k", "g": "25"}, size=(176, 144)),
    "mpeg4.avi": Recipe("mpeg4", {"b": "150k", "g": "25"}),
    "wmv2.wmv": Recipe("wmv2", {"b": "150k", "g": "25"}),
    "flv1.flv": Recipe("flv", {"b": "150k", "g": "25"}),
    "mpeg1.mpg": Recipe("mpeg1video", {"b": "200k", "g": "25"}, rate=Fraction(25), frames=90),
    "hevc.mp4": Recipe("libx265", {"crf": "32", "x265-params": "log-level=none:keyint=25"}),
    "av1.mp4": Recipe("libsvtav1", {"crf": "45", "preset": "6"}),
    "deep.mp4": Recipe("libsvtav1", {"crf": "45", "preset": "6"}, format="yuv420p10le"),
    "vp8.webm": Recipe("libvpx", {"crf": "30", "b": "200k", "g": "25"}),
    "vp9.webm": Recipe("libvpx-vp9", {"crf": "40", "b": "0", "g": "25"}),
}


def videos(folder: Path) -> None:
    """Every file."""
    for name, recipe in RECIPES.items():
        recipe.write(folder / name)
    for mark in MARKS:
        marked(folder / "h264.mov", folder / f"{mark}.mov", mark)
    cut(folder / "h264.mov", folder / "cut.mov", 1.25)
    for name, edits in EDITS.items():
        edited(folder / "h264.mov", folder / name, edits)
    coloured(folder / "h264.mov", folder / "short-colours.mov")
    halved(folder / "fast-start.mp4", folder / "half.mp4")
    halved(folder / "vp8.webm", folder / "half.webm")
    halved(folder / "h264.mov", folder / "no-index.mov")


def cases() -> Iterator[dict[str, object]]:
    """Starts of frames, and which of them are sampled."""
    for rate, count in ((10, 40), (30000 / 1001, 100), (Fraction(1, 3), 4), (25, 1), (2, 1200), (1, 257), (1, 256)):
        starts = [float(number / rate) for number in range(count)]
        yield {"rate": float(rate), "count": count, "samples": sampled_frames(starts)}


def edit_cases() -> Iterator[dict[str, object]]:
    """Starts of frames and edits in ticks, and when which frames are shown."""
    starts = [0, 100, 100, 250, 400, 900]
    for edits in ([], [(0, 250.0)], [(100, 150.0), (0, 101.0)], [(-1, 50.0), (250, 0.0), (0, 9.0)], [(901, 5.0)]):
        found = shown_frames(starts, [Edit(*edit) for edit in edits], len(starts))
        yield {"starts": starts, "edits": edits, "shown": found}


def main() -> None:
    """Writes everything anew."""
    folder = HERE / "videos"
    folder.mkdir(exist_ok=True)
    videos(folder)
    (HERE / "vpdq.json").write_text(json.dumps({"samples": list(cases()), "edits": list(edit_cases())}) + "\n", "utf-8")


if __name__ == "__main__":
    main()
