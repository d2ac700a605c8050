"""Changed copies at the gate: what the feed's views and the upload's views find together, and what they let pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from takeback.gate import Action, Gate
from takeback.gate.settings import GateSettings, save
from takeback.gate.upload_views.letterbox import content_boxes
from takeback.gate.upload_views.look_ups import look_ups
from takeback.hashing import hash_picture, with_variants
from takeback.signals import PDQ_QUALITY_FLOOR, SignalType
from tests.bench._changes import CHANGES, changed
from tests.bench._scenes import Chance
from tests.gate.feeds import KEY
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import running

PICTURE = drawing(1, (900, 640))
OTHERS = {f"drawing {number}": drawing(number, (800, 600)) for number in range(3, 8)}
"""Pictures that stand beside the copied one."""
REVIEWED = {"emoji on 5-12 %", "small crop, 0-3 % a side"}
"""Changes of which some amounts are beyond a block."""
NOT_FOUND = {"cut, 10-30 % a side"}
"""Changes of which some amounts are beyond everything: the benchmark says how many."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """A gate whose feed holds a picture's signals without phash and the exact hashes."""
    with gate_that_knows(PICTURE, tmp_path_factory.mktemp("views") / "gate") as opened:
        opened.uses_rate_brake = False  # one upload after the other is a copy of the same picture
        yield opened


@contextmanager
def gate_that_knows(picture: Image.Image, home: Path) -> Iterator[Gate]:
    """A gate in `home` that follows a registry with the views and the local hashes of the picture."""
    with running() as registry:
        for signal in with_variants(hash_picture(jpeg(picture))).signals:
            if signal.type in {SignalType.PDQ, SignalType.PATCHES}:
                registry.log.add(signal)
        save(home, GateSettings(registry.url, KEY))
        with Gate.open(home) as opened:
            opened.sync()
            yield opened


@pytest.mark.parametrize("change", [change for change in CHANGES if change not in NOT_FOUND])
@pytest.mark.parametrize("seed", range(2))
def test_a_changed_copy_is_stopped(gate: Gate, change: str, seed: int) -> None:
    """A copy is blocked after each change; after some changes it may be for review."""
    decision = gate.check(changed(PICTURE, change, Chance(f"{seed} {change}", OTHERS)))
    assert decision.action in ({Action.BLOCK, Action.REVIEW} if change in REVIEWED else {Action.BLOCK}), change
    assert decision.matches


@pytest.mark.parametrize("change", CHANGES)
def test_another_picture_passes(gate: Gate, change: str) -> None:
    """Another picture is allowed after the same change."""
    decision = gate.check(changed(drawing(2, (900, 640)), change, Chance(change, OTHERS)))
    assert (decision.action, decision.matches) == (Action.ALLOW, ())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda picture: picture.rotate(13, Image.Resampling.BICUBIC),
            "parts of the picture match, turned by about 14 degrees",
        ),
        (lambda picture: on(picture, (900, 1400)), "without its frame"),
    ],
)
def test_the_reason_names_the_view(gate: Gate, make: Callable[[Image.Image], Image.Image], said: str) -> None:
    """The explanation names the view of the upload that matched."""
    assert said in gate.check(jpeg(make(PICTURE))).explain()


def on(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in the middle of a black background."""
    canvas = Image.new("RGB", size)
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return canvas


def bordered(seed: int) -> Image.Image:
    """A drawing on a white page with a black border."""
    page = Image.new("RGB", (900, 640), "white")
    page.paste(drawing(seed, (520, 560)), (40, 40))
    ImageDraw.Draw(page).rectangle((0, 0, 899, 639), outline="black", width=6)
    return page


def window(seed: int) -> Image.Image:
    """A program's window: its constant title bar with a logo, a name and buttons, and some text."""
    screen = Image.new("RGB", (720, 1280), "white")
    bar = ImageDraw.Draw(screen)
    bar.rectangle((0, 0, 719, 150), fill=(30, 60, 140))
    bar.ellipse((30, 30, 120, 120), fill="white")
    bar.polygon([(55, 100), (75, 45), (95, 100)], fill=(220, 60, 60))
    bar.text((150, 45), "Messages", "white", font_size=48)
    for left in (540, 600, 660):
        bar.rounded_rectangle((left, 55, left + 36, 91), 8, outline="white", width=4)
    pen, numbers = ImageDraw.Draw(screen), Random(seed)
    for line in range(9):
        wide = numbers.randrange(60, 400)
        left = numbers.choice((30, 690 - wide))
        pen.rounded_rectangle((left, 250 + line * 110, left + wide, 330 + line * 110), 20, fill=(120, 160, 200))
    return screen


@pytest.mark.parametrize("make", [bordered, window])
def test_what_many_pictures_have_around_them_matches_nothing(
    make: Callable[[int], Image.Image], tmp_path: Path
) -> None:
    """A border or title bar that different pictures share is no match."""
    with gate_that_knows(make(1), tmp_path / "gate") as gate:
        assert [gate.check(jpeg(make(seed))).action for seed in range(1, 6)] == [Action.BLOCK] + [Action.ALLOW] * 4


def test_look_ups_are_few_and_good() -> None:
    """All look-ups have sufficient quality and distinct values, and there are at most 120."""
    found = look_ups(hash_picture(jpeg(on(PICTURE, (1080, 1920)))).thumbnail)
    values = [probe.signal.value for probe in found]
    assert len(set(values)) == len(values) <= 120
    assert all((probe.signal.quality or 0) >= PDQ_QUALITY_FLOOR for probe in found)


def test_the_edge_of_a_night_sky_on_a_dark_ground_is_seen() -> None:
    """A picture is cropped even if only grain separates it from black bars."""
    sky = np.random.default_rng(1).integers(21, 28, (18, 90), dtype=np.uint8)
    picture = drawing(3, (1080, 640))
    picture.paste(Image.fromarray(sky).resize((1080, 216)).convert("RGB"))
    screen = Image.new("RGB", (1080, 2340), (24, 24, 24))
    screen.paste("white", (40, 1100, 400, 1183))
    screen.paste(picture, (0, 1203))
    boxes = content_boxes(hash_picture(jpeg(screen)).thumbnail)
    assert any((box[1], box[3]) == pytest.approx((1203 / 2340, 1843 / 2340), abs=0.003) for box in boxes)


@pytest.mark.parametrize("picture", [Image.new("RGB", (300, 200), "teal"), drawing(1, (30, 800)), drawing(1, (20, 20))])
def test_plain_uploads_have_no_views(picture: Image.Image) -> None:
    """A plain, narrow or tiny upload has no views."""
    assert look_ups(hash_picture(jpeg(picture)).thumbnail) == []
