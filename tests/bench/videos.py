"""Which changed videos are still found, stills of registered videos, and registered pictures that a video shows.

`TAKEBACK_VIDEOS_SEED=7 TAKEBACK_VIDEOS_CLIPS=20 python3 build.py bench videos`: so many clips (8) are made of
photographs that a camera pans over, besides those in `../shared/photos/video` and in Debian packages. The result is
videos.md.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import av
import numpy as np
from PIL import Image, ImageOps

from takeback.gate.rules.policy import Action
from takeback.hashing.video import hash_video
from tests.bench import _edits as edits
from tests.bench import _scenes as scenes
from tests.bench._matching import NEAR, WAYS, Listed, Uploads, listed, make_gate
from tests.bench._photographs import VIDEO, second_set
from tests.bench._scenes import Chance, Compose
from tests.bench._sets import TUNED, opened, saved

HERE: Final = Path(__file__).parent
CLIPS: Final = 8
PHOTOGRAPHS_A_CLIP: Final = 3
SECONDS: Final = 9
RATE: Final = 8
"""Frames a second of the clips."""
SIDE_PIXELS: Final = 480

type Frames = Sequence[Image.Image]


class Clip(NamedTuple):
    """Frames, and how many of them there are a second."""

    frames: Frames
    rate: Fraction


type Change = Callable[[Clip, "VideoChance"], bytes]


class VideoChance(Chance):
    """Chance that also draws another video, and tells its seed, with which each frame is changed alike."""

    def __init__(self, seed: str, others: Mapping[str, Image.Image], clips: Sequence[Clip]) -> None:
        super().__init__(seed, others)
        self.name, self.pictures, self._clips = seed, others, clips

    def clip(self) -> Clip:
        """A clip that is not registered."""
        return self.choice(self._clips)


def mp4(clip: Clip) -> bytes:
    """A clip as an MP4 with sides of even length."""
    out = io.BytesIO()
    wide, high = (side // 2 * 2 for side in clip.frames[0].size)
    with av.open(out, "w", format="mp4") as container:
        options = {"crf": "27", "preset": "veryfast"}
        stream: Any = container.add_stream("libx264", rate=clip.rate.limit_denominator(1000), options=options)
        stream.width, stream.height, stream.pix_fmt = wide, high, "yuv420p"
        for frame in clip.frames:
            pixels = np.asarray(frame.convert("RGB").crop((0, 0, wide, high)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def _each(change: Compose) -> Change:
    """Changes every frame in the same way."""

    def all_frames(clip: Clip, chance: VideoChance) -> bytes:
        return mp4(Clip([_whole(change(one, Chance(chance.name, chance.pictures))) for one in clip.frames], clip.rate))

    return all_frames


def _whole(frame: Image.Image) -> Image.Image:
    """Not larger than a phone records."""
    return edits.scaled(frame, min(1, 960 / max(frame.size)))


def _faster(least: float, most: float) -> Change:
    return lambda clip, chance: mp4(
        Clip(clip.frames, clip.rate * Fraction(round(chance.uniform(least, most) * 100), 100))
    )


def _beginning_missing(clip: Clip, chance: VideoChance) -> bytes:
    """Without the first one to three seconds."""
    return mp4(Clip(clip.frames[round(chance.uniform(1, 3) * clip.rate) :], clip.rate))


def _gif(clip: Clip, chance: VideoChance) -> bytes:
    """Every second or third frame, shown for as long as somebody chose."""
    step = chance.randint(2, 3)
    small = [edits.scaled(frame, 0.75) for frame in clip.frames[::step]]
    out = io.BytesIO()
    duration = round(1000 * step / clip.rate * chance.uniform(0.7, 1.4))
    small[0].save(out, "GIF", save_all=True, append_images=small[1:], duration=duration, loop=0)
    return out.getvalue()


def _recorded(clip: Clip, chance: VideoChance) -> bytes:
    """A recording of a phone's screen at another rate, which begins and ends with the app alone."""
    idle = [_whole(scenes.app_screen(chance)[0])] * chance.randint(4, 10)
    shown = [_whole(scenes.screenshot(frame, Chance(chance.name, {}))) for frame in clip.frames]
    return mp4(Clip([*idle, *shown, *idle[:4]], clip.rate * Fraction(5, 4)))


def _still(clip: Clip, chance: VideoChance) -> bytes:
    """Any frame as a picture."""
    return saved(chance.choice(clip.frames), 80)


def _screenshot(clip: Clip, chance: VideoChance) -> bytes:
    """A screenshot of the paused video."""
    return saved(scenes.screenshot(chance.choice(clip.frames), chance), 85)


CHANGES: Final[Mapping[str, Change]] = MappingProxyType(
    {
        "encoded again": _each(edits.same),
        "mirrored": _each(edits.mirror),
        "turned by a quarter": _each(edits.quarter),
        "letterboxed": _each(scenes.bars(9, 16, "black")),
        "cut, 3-12 % a side": _each(edits.crop(0.03, 0.12)),
        "zoomed to 75 % of the area": _each(edits.zoom(0.75)),
        "captioned": _each(scenes.caption),
        "sticker": _each(edits.emoji),
        "sped up 1.25-2 times": _faster(1.25, 2),
        "slowed to 50-80 %": _faster(0.5, 0.8),
        "first seconds missing": _beginning_missing,
        "re-timed GIF": _gif,
        "screen recording": _recorded,
        "still": _still,
        "screenshot": _screenshot,
    }
)
SHOWN: Final = "picture shown in a video"
STILLS: Final = ("still", "screenshot", SHOWN)
AIMS: Final = {True: (95, 90), False: (90, 80)}
"""Per cent to find and to block: of stills and shown pictures, and of changed videos."""


def shown(picture: Image.Image, chance: VideoChance) -> bytes:
    """A video of something else that shows a picture for one to two seconds."""
    clip = chance.clip()
    frame = ImageOps.pad(picture, clip.frames[0].size)
    at = chance.randint(0, len(clip.frames))
    there = [frame] * round(chance.uniform(1, 2) * clip.rate + 1)
    return mp4(Clip([*clip.frames[:at], *there, *clip.frames[at:]], clip.rate))


def panned(photographs: Sequence[Image.Image], chance: Chance) -> Clip:
    """A clip in which a camera moves over one photograph after the other."""
    frames = []
    size = chance.choice([(480, 270), (270, 480), (480, 360)])
    for picture in photographs:
        ground = ImageOps.fit(picture, (round(size[0] * 1.4), round(size[1] * 1.4)), Image.Resampling.LANCZOS)
        steps = SECONDS * RATE // len(photographs)
        spare = ground.width - size[0], ground.height - size[1]
        (left, top), (right, low) = ([chance.uniform(0, one) for one in spare] for _ in range(2))
        for step in range(steps):
            share = step / steps
            x, y = left + (right - left) * share, top + (low - top) * share
            frames.append(ground.transform(size, Image.Transform.AFFINE, (1, 0, x, 0, 1, y), Image.Resampling.BILINEAR))
    return Clip(frames, Fraction(RATE))


def recorded(file: Path) -> Clip:
    """The first seconds of a video file."""
    frames: list[Image.Image] = []
    with av.open(str(file)) as container:
        for frame in container.decode(video=0):
            if frame.time >= len(frames) / RATE:
                picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
                picture.thumbnail((SIDE_PIXELS, SIDE_PIXELS))
                frames.append(picture)
            if len(frames) >= SECONDS * RATE:
                break
    return Clip(frames, Fraction(RATE))


@dataclass(frozen=True, slots=True)
class Material:
    """Registered clips and pictures, others that stand beside them, and clips that are not registered."""

    clips: dict[str, Clip]
    pictures: dict[str, Image.Image]
    others: dict[str, Image.Image]
    strange: list[Clip]


def material(seed: str, clips: int) -> Material:
    """Chooses photographs and clips by the seed."""
    second = second_set().photographs
    files = [*sorted((TUNED / "video").glob("*.mp4")), *(one.file for one in second if one.scene == VIDEO)]
    chance = Chance(f"{seed} videos", {})
    stills = [one for one in second if one.scene == "-"]
    wanted = clips * (PHOTOGRAPHS_A_CLIP + 1) + 10 + 2 * PHOTOGRAPHS_A_CLIP
    chosen = chance.sample(stills, min(len(stills), wanted))
    pictures = [(one.name, picture) for one in chosen if (picture := opened(one.file.read_bytes()))]
    if len(pictures) < wanted:
        raise SystemExit(
            "the clips are made of photographs of Debian packages, which could not be fetched: is there apt?"
        )
    registered, others, rest = pictures[:clips], pictures[clips : clips + 10], pictures[clips + 10 :]
    groups = [rest[at : at + PHOTOGRAPHS_A_CLIP] for at in range(0, len(rest), PHOTOGRAPHS_A_CLIP)]
    made = [panned([picture for _, picture in group], chance) for group in groups]
    named = {f"clip {number}": clip for number, clip in enumerate(made[2:])}
    named |= {file.name: recorded(file) for file in files}
    return Material(named, dict(registered), dict(others), made[:2])


class Task(NamedTuple):
    """An upload to make: the change, and the number of the registered video or picture, with its name."""

    change: str
    number: int
    name: str


class Decided(NamedTuple):
    """What the gate says of an upload, and how many others it matches by mistake."""

    change: str
    actions: dict[str, Action]
    others: int


class _Worker:
    """What a process of the pool keeps."""

    seed: str
    uploads: Uploads
    of: Material


def _start(seed: str, home: Path, owners: Mapping[str, int], of: Material) -> None:
    _Worker.seed, _Worker.uploads, _Worker.of = seed, Uploads(home, owners), of


def _decide(task: Task) -> Decided:
    of = _Worker.of
    chance = VideoChance(f"{_Worker.seed} {task.name} {task.change}", of.others, of.strange)
    if task.change == SHOWN:
        upload = shown(of.pictures[task.name], chance)
    else:
        upload = CHANGES[task.change](of.clips[task.name], chance)
    found = _Worker.uploads.decide(_Worker.uploads.read(upload))
    return Decided(
        task.change,
        {way: actions[task.number] for way, actions in found.items() if task.number in actions},
        len(found["everything"].keys() - {task.number}),
    )


def _listed_video(clip: Clip) -> Listed:
    """What a client sends of a video, without the exact hashes."""
    signals = hash_video(io.BytesIO(mp4(clip))).sent()
    return Listed(tuple(signal for signal in signals if signal.type in NEAR))


def run(seed: str, clips: int) -> list[Decided]:
    """Registers clips and pictures, and uploads what is made of them."""
    of = material(seed, clips)
    entries = [_listed_video(clip) for clip in of.clips.values()]
    entries += [listed(saved(picture, 92)) or Listed(()) for picture in of.pictures.values()]
    tasks = [Task(change, number, name) for change in CHANGES for number, name in enumerate(of.clips)]
    tasks += [Task(SHOWN, number, name) for number, name in enumerate(of.pictures, len(of.clips))]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "gate")
        start = (seed, home, make_gate(home, entries), of)
        with ProcessPoolExecutor(os.cpu_count(), initializer=_start, initargs=start) as processes:
            return list(processes.map(_decide, tasks))


def report(seed: str, decided: Sequence[Decided]) -> Iterator[str]:
    """The report as Markdown."""
    yield from ("# Videos that were changed", "", "Made by `python3 build.py bench videos`; not edited by hand.", "")
    wrong = sum(one.others for one in decided)
    yield f"Seed {seed}; {len(decided)} uploads, {wrong} false matches. Found is blocked or sent to review."
    yield ""
    yield f"| change | uploads | {' | '.join(f'{way}: blocked | found' for way in WAYS)} | to reach: found, blocked | |"
    yield f"| --- | ---: |{' ---: |' * (2 * len(WAYS))} ---: | --- |"
    for change in (*CHANGES, SHOWN):
        some = [one for one in decided if one.change == change]
        shares = {(way, action): _share(some, way, action) for way in WAYS for action in (Action.BLOCK, Action.REVIEW)}
        found, blocked = AIMS[change in STILLS]
        reached = (
            shares["everything", Action.REVIEW] * 100 >= found and shares["everything", Action.BLOCK] * 100 >= blocked
        )
        cells = " | ".join(f"{share:.0%}" for share in shares.values())
        yield f"| {change} | {len(some)} | {cells} | {found} {blocked} | {'reached' if reached else '**short**'} |"


def _share(some: Sequence[Decided], way: str, least: Action) -> float:
    return float(np.mean([one.actions.get(way, Action.ALLOW).weight >= least.weight for one in some])) if some else 0.0


def main() -> None:
    """Prints the table, and keeps it beside this file."""
    seed = os.environ.get("TAKEBACK_VIDEOS_SEED", "1")
    decided = run(seed, int(os.environ.get("TAKEBACK_VIDEOS_CLIPS", CLIPS)))
    text = "\n".join(report(seed, decided)) + "\n"
    print(text)
    (HERE / "videos.md").write_text(text)


if __name__ == "__main__":
    main()
