import builtins
import io
from itertools import accumulate, cycle, islice
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import given, settings
from hypothesis import strategies as st

from takeback.errors import DamagedPicture, PictureError, PictureTooLarge, UnknownFormat
from takeback.hashing import video
from takeback.hashing.exact import exact_signals
from takeback.hashing.video import HashedVideo, hash_video, video_format
from takeback.hashing.vpdq import sampled_frames
from takeback.signals import Frame, SignalType, frames_of, hamming_distance
from tests import oracle
from tests.vectors.make_videos import MARKS, RECIPES, UNEVEN, scene

VIDEOS: Final = Path(__file__).parents[1] / "vectors" / "videos"
ENCODED_BITS: Final = 40
"""How far encoding moves a small frame's PDQ; other frames of the same video are three times as far away."""


def read(name: str) -> bytes:
    """One of the test videos."""
    return (VIDEOS / name).read_bytes()


def hashed(data: bytes) -> HashedVideo:
    """The result of hashing a video."""
    return hash_video(io.BytesIO(data))


def sound(*, cover: bool) -> bytes:
    """An MP4 with a second of silence, and optionally a cover."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        art: Any = container.add_stream("mjpeg", rate=1) if cover else None
        if art:
            art.width, art.height, art.pix_fmt, art.disposition = 192, 144, "yuvj420p", Disposition.attached_pic
            container.mux(art.encode(av.VideoFrame.from_ndarray(scene(0), format="rgb24").reformat(format="yuvj420p")))
            container.mux(art.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def frames(found: HashedVideo) -> tuple[Frame, ...]:
    """Its frames."""
    return frames_of(found.signals[0].value)


def drawn(second: float, turns: int = 0, *, mirrored: bool = False) -> str:
    """PDQ of the frame drawn for a time, turned by quarters clockwise, then mirrored."""
    turned = np.rot90(scene(second), -turns)
    red, green, blue = np.moveaxis((turned[:, ::-1] if mirrored else turned).astype(float), -1, 0)
    luma = np.clip(0.299 * red + 0.587 * green + 0.114 * blue, 0, 255).astype(np.uint8)
    return oracle.pdq(np.ascontiguousarray(luma))[0]["orig"]


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - {"still.mp4", "uneven.mp4"}))
def test_every_codec_and_container(name: str) -> None:
    """In each video one frame per second is hashed, with number and time, and looks as it was drawn."""
    rate = float(RECIPES[name].rate)
    found = hashed(read(name))
    assert (found.width, found.height, found.quality, found.fault) == (*RECIPES[name].size, 100, None)
    assert [signal.type for signal in found.signals] == ["vpdq", "sha256", "md5"]
    assert found.signals[1:] == exact_signals(read(name))
    assert len(frames(found)) == 4
    for frame in frames(found):
        assert abs(frame.seconds - frame.number / rate) < 0.0011
        assert hamming_distance(frame.hash, drawn(frame.number / rate)) <= ENCODED_BITS


@pytest.mark.parametrize("mark", MARKS)
def test_a_turned_or_mirrored_video_is_hashed_as_it_is_seen(mark: str) -> None:
    """The marks of a phone held sideways, and of a front camera, are applied."""
    turns = sum(int(part) // 90 for part in mark.split("-") if part.isdigit())
    found = hashed(read(f"{mark}.mov"))
    assert (found.width, found.height) == ((144, 192) if turns % 2 else (192, 144))
    for frame in frames(found):
        seen = drawn(frame.seconds, turns, mirrored="mirrored" in mark)
        assert hamming_distance(frame.hash, seen) <= ENCODED_BITS


def test_what_an_edit_list_cuts_off_is_not_hashed() -> None:
    """Frames before the start that the file declares are neither hashed nor counted."""
    found = frames(hashed(read("cut.mov")))
    assert [frame.number for frame in found] == [0, 10, 20]
    whole = {frame.hash for frame in frames(hashed(read("h264.mov")))}
    assert hamming_distance(found[0].hash, drawn(1.3)) <= ENCODED_BITS
    assert found[0].hash not in whole


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("two-edits.mov", [(0, 0.0, 0.0), (10, 1.0, 2.5), (20, 2.0, 3.5)]),
        ("backwards.mov", [(0, 0.0, 2.0), (10, 1.0, 3.0), (20, 2.0, 1.2)]),
        ("gap.mov", [(0, 0.0, 0.3), (9, 0.9, 1.2), (15, 3.0, 3.5)]),
        ("endless.mov", [(0, 0.0, 2.0), (10, 1.0, 1.0), (30, 3.0, 3.0)]),
        ("no-edit.mov", [(0, 0.0, 0.0), (10, 1.0, 1.0), (20, 2.0, 2.0), (30, 3.0, 3.0)]),
    ],
)
def test_every_edit_of_a_list_counts(name: str, shown: list[tuple[int, float, float]]) -> None:
    """Frames shown by several edits are hashed in their order; edits that show nothing are ignored."""
    found = frames(hashed(read(name)))
    assert [(frame.number, frame.seconds) for frame in found] == [(number, second) for number, second, _ in shown]
    for frame, (_, _, second) in zip(found, shown, strict=True):
        assert hamming_distance(frame.hash, drawn(second)) <= ENCODED_BITS


def test_frames_of_uneven_length_are_sampled_by_their_times() -> None:
    """Whatever the distance between frames, the last one that starts by each second is hashed."""
    steps = accumulate(islice(cycle(UNEVEN), RECIPES["uneven.mp4"].frames - 1), initial=0)
    starts = [step / 10 for step in steps]
    found = frames(hashed(read("uneven.mp4")))
    assert [(frame.number, frame.seconds) for frame in found] == [(n, starts[n]) for n in sampled_frames(starts)]


def test_a_jump_gives_the_same_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeking to a key frame gives the same hashes as decoding everything."""
    whole = hashed(read("h264.mp4"))
    monkeypatch.setattr(video, "SEEK_SECONDS", 0.0)
    assert hashed(read("h264.mp4")) == whole


@pytest.mark.parametrize(
    ("start", "format_"),
    [
        (b"\0\0\0\x20ftypisom", "MP4"),
        (b"\0\0\0\x14ftypqt  ", "MOV"),
        (b"\0\0\0\x08wide\0\0\0\0", "MOV"),
        (b"\x1a\x45\xdf\xa3\0\0\0\0\0\0\0\0", "WEBM"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"FLV\x01\x05", "FLV"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMV"),
        (b"\0\0\x01\xba", "MPEG"),
        ((b"G" + bytes(187)) * 3, "TS"),
        (bytes(4) + (b"G" + bytes(191)) * 3, "TS"),
        (b"G" * 12, None),
        (b"\0\0\0\x18ftypheic", None),
        (b"\0\0\0\x1cftypavif", None),
        (b"RIFF\0\0\0\0WEBP", None),
        (b"#EXTM3U\n#EXT", None),
        (b"", None),
    ],
)
def test_a_video_is_known_by_its_start(start: bytes, format_: str | None) -> None:
    """Video containers are distinguished from pictures in the same container and from everything else."""
    assert video_format(start) == format_


@pytest.mark.parametrize("name", ["h264.mp4", "vp8.webm", "fragments.mp4"])
@given(place=st.integers(0, 2**20), mask=st.integers(1, 255), cut=st.booleans())
@settings(max_examples=30)
def test_every_container_takes_damage(name: str, place: int, mask: int, cut: bool) -> None:
    """A changed byte, or a truncation anywhere, gives hashes or one of our errors."""
    data = bytearray(read(name))
    place %= len(data)
    data[place] ^= mask
    kept = bytes(data[:place] if cut else data)
    try:
        found = hashed(kept)
    except PictureError as error:
        assert str(error)
    else:
        assert found.signals[-2:] == exact_signals(kept)


def test_a_video_without_its_index_has_its_exact_hashes() -> None:
    """A file truncated before its frame index has SHA-256 and MD5, and says why there is no more."""
    found = hashed(read("no-index.mov"))
    assert found.signals == exact_signals(read("no-index.mov"))
    assert isinstance(found.fault, DamagedPicture)


def test_a_video_that_is_cut_short_has_its_first_frames() -> None:
    """Frames before the truncation are hashed as in the whole video."""
    whole = frames(hashed(read("fragments.mp4")))
    part = frames(hashed(read("fragments.mp4")[:-3000]))
    assert 1 <= len(part) < len(whole)
    assert part == whole[: len(part)]


@pytest.mark.parametrize(
    ("limit", "value", "text"), [("MAX_PACKETS", 9, "frames"), ("MAX_PIXELS", 9, "megapixels a frame")]
)
def test_limits_are_told(limit: str, value: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A video with too many or too large frames has its exact hashes, and says why there is no more."""
    monkeypatch.setattr(video, limit, value)
    found = hashed(read("h264.mp4"))
    assert found.signals == exact_signals(read("h264.mp4"))
    assert isinstance(found.fault, PictureTooLarge)
    assert text in str(found.fault)


def test_patience_ends() -> None:
    """A video that takes too long has its exact hashes, and says why there is no more."""
    found = hash_video(io.BytesIO(read("h264.mp4")), patience=0.0)
    assert found.signals == exact_signals(read("h264.mp4"))
    assert "too long" in str(found.fault)


def test_a_sound_with_a_cover_is_no_video() -> None:
    """A sound file is refused, even if it contains a cover picture."""
    for cover in (False, True):
        with pytest.raises(UnknownFormat, match="sound"):
            hashed(sound(cover=cover))


def test_frames_that_cannot_be_decoded_leave_the_exact_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A video that no decoder supports has only SHA-256 and MD5, and no quality."""
    monkeypatch.setattr(video, "_decoded", lambda *_: iter(()))
    found = hashed(read("h264.mp4"))
    assert [signal.type for signal in found.signals] == [SignalType.SHA256, SignalType.MD5]
    assert found.quality is None


def test_without_pyav_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyAV is not installed a video gives an error that names the extra."""
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "av":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnknownFormat, match=r"pip install 'FILE\.whl\[video\]'"):
        hashed(read("h264.mp4"))


def test_something_else_is_no_video() -> None:
    """A picture passed as a video is refused."""
    with pytest.raises(UnknownFormat, match="not a video"):
        hashed(b"\x89PNG\r\n\x1a\n" + bytes(100))
