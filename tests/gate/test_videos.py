"""Pictures and videos find each other, and changed videos are found, through `Gate.check`."""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from PIL import Image, ImageDraw, ImageOps

from takeback.gate import Action, Gate
from takeback.gate.rules.benign_list import BENIGN_LIST_FILE
from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture, sent
from takeback.hashing.video import hash_video
from takeback.signals import SignalType
from tests.gate.feeds import KEY
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import Registry, running
from tests.gate.videos import RATE, SIZE, gif, mp4, scenes

CLIP: Final = scenes(1, 2, 3, 4)
"""Eight seconds."""
OTHER: Final = scenes(21, 22, 23)

type Frames = Sequence[Image.Image]


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """A registry that holds a video and a picture."""
    with running() as started:
        (vpdq,) = (s for s in sent(hash_video(BytesIO(mp4(CLIP))).signals) if s.type is SignalType.VPDQ)
        started.log.add(vpdq)
        for signal in sent(hash_picture(jpeg(drawing(9, SIZE))).signals):
            started.log.add(signal)
        yield started


@pytest.fixture(scope="module")
def home(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has followed the registry."""
    home = tmp_path_factory.mktemp("gate") / "gate"
    save(home, GateSettings(registry.url, KEY))
    with Gate.open(home) as gate:
        gate.sync()
    return home


@pytest.fixture(scope="module")
def gate(home: Path) -> Iterator[Gate]:
    """A gate that has followed the registry."""
    with Gate.open(home) as opened:
        yield opened


def on_ground(
    ground: Callable[[Image.Image], Image.Image], left: int, top: int
) -> Callable[[Frames], list[Image.Image]]:
    """Puts each frame on a larger one."""

    def put(frames: Frames) -> list[Image.Image]:
        found = []
        for frame in frames:
            larger = ground(frame)
            larger.paste(frame, (left, top))
            found.append(larger)
        return found

    return put


def screen(_: Image.Image) -> Image.Image:
    """A phone's screen with an app's window."""
    page = Image.new("RGB", (320, 640), "#f4f4f4")
    pen = ImageDraw.Draw(page)
    for row in range(12):
        pen.text((10 + row % 3, 8 + 11 * row), f"a line of text {row}", fill="black")
        pen.rectangle((20 * row, 520, 20 * row + 12, 540), fill="#345" if row % 2 else "#a43")
    return page


CHANGES: Final[dict[str, Callable[[Frames], bytes]]] = {
    "mirrored": lambda frames: mp4([ImageOps.mirror(frame) for frame in frames]),
    "turned": lambda frames: mp4([frame.transpose(Image.Transpose.ROTATE_90) for frame in frames]),
    "negative": lambda frames: mp4([ImageOps.invert(frame) for frame in frames]),
    "bars": lambda frames: mp4(on_ground(lambda _: Image.new("RGB", (320, 400)), 0, 80)(frames)),
    "blurred ground": lambda frames: mp4(
        on_ground(lambda frame: frame.resize((4, 3)).resize((320, 400), Image.Resampling.BICUBIC), 0, 80)(frames)
    ),
    "caption": lambda frames: mp4(on_ground(lambda _: Image.new("RGB", (320, 290), "white"), 0, 50)(frames)),
    "screen recording": lambda frames: mp4(on_ground(screen, 0, 200)(frames)),
    "sped up": lambda frames: mp4(frames, 8),
    "slowed": lambda frames: mp4(frames, 3),
    "first seconds missing": lambda frames: mp4(frames[13:]),
    "a clip": lambda frames: mp4(frames[13:28]),
    "inside another video": lambda frames: mp4([*OTHER, *frames]),
    "GIF": lambda frames: gif(frames[::2], 300),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_video_is_blocked(gate: Gate, change: str) -> None:
    """A copy of a registered video is blocked after each kind of change, and what matches is named."""
    decision = gate.check(CHANGES[change](CLIP))
    assert decision.action is Action.BLOCK
    assert [match.type for match in decision.matches] == [SignalType.VPDQ]
    assert "of the upload's seconds" in decision.explain()


@pytest.mark.parametrize("change", CHANGES)
def test_another_video_passes(gate: Gate, change: str) -> None:
    """A video of which nothing is registered passes after the same changes."""
    decision = gate.check(CHANGES[change](scenes(21, 22, 23, 24)))
    assert (decision.action, decision.matches) == (Action.ALLOW, ())


def test_a_screenshot_of_a_video(gate: Gate) -> None:
    """A still of a registered video is blocked, also mirrored or as a negative, and the reason says so."""
    still = CLIP[2 * RATE]
    for copy in (still, ImageOps.mirror(still), ImageOps.invert(still), screen_of(still)):
        decision = gate.check(jpeg(copy))
        assert decision.action is Action.BLOCK
        assert decision.explain().startswith("pdq of a frame at distance ")
    assert gate.check(jpeg(OTHER[2 * RATE])).action is Action.ALLOW


def screen_of(still: Image.Image) -> Image.Image:
    """A screenshot."""
    return on_ground(screen, 0, 200)([still])[0]


@pytest.mark.parametrize("shown", [1, 7, 15])
def test_a_video_that_shows_a_picture(gate: Gate, shown: int) -> None:
    """A registered picture that a video shows for a second is found, wherever, and the reason says when."""
    picture = [drawing(9, SIZE)] * RATE
    for copy in (picture, [ImageOps.mirror(frame) for frame in picture]):
        frames = [*OTHER[:shown], *copy, *OTHER[shown:]]
        for upload in (mp4(frames), gif(frames, 200)):
            decision = gate.check(upload)
            assert decision.action is Action.BLOCK
            assert decision.matches[0].second in range(shown // RATE, shown // RATE + 3)


def test_an_animated_png_that_shows_a_picture(gate: Gate) -> None:
    """A registered picture in the last frame of an animated PNG is found: browsers show it."""
    out = BytesIO()
    OTHER[0].save(out, "PNG", save_all=True, append_images=[OTHER[1], drawing(9, SIZE)], duration=1000)
    assert gate.check(out.getvalue()).action is Action.BLOCK


def test_a_negative_of_a_picture(gate: Gate) -> None:
    """The negative of a registered picture is blocked, upright and mirrored, and the reason names it."""
    for copy in (drawing(9, SIZE), ImageOps.mirror(drawing(9, SIZE))):
        decision = gate.check(jpeg(ImageOps.invert(copy)))
        assert decision.action is Action.BLOCK
        assert ", negative" in decision.explain()


def test_a_moment_of_a_video_asks_for_a_review(gate: Gate) -> None:
    """A video that shows a moment of a registered one, and more else, asks for a review."""
    decision = gate.check(mp4([*OTHER, *CLIP[:6]]))
    assert (decision.action, decision.matches[0].because) == (Action.REVIEW, "which is a part of each")


def test_a_benign_picture_excuses_only_its_moment(home: Path) -> None:
    """A benign picture that is shown at the end of a registered video does not let that video pass."""
    benign = drawing(30, SIZE)
    (home / BENIGN_LIST_FILE).write_text(f"pdq {hash_picture(jpeg(benign)).signals[0].value}\n", "utf-8")
    try:
        with Gate.open(home) as gate:
            assert gate.check(mp4([*CLIP, *[benign] * RATE])).action is Action.BLOCK
    finally:
        (home / BENIGN_LIST_FILE).unlink()
