"""`python tests/vectors/make_choice.py`: writes `choice.json`, which frames stand for a video in either language."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "py")]

from takeback.hashing.frames import FrameChoice  # noqa: E402

type Offered = tuple[int, str]
"""A frame's quality and hash."""


def chosen(frames: list[Offered]) -> list[int]:
    """The places of the chosen frames."""
    choice = FrameChoice[int]()
    for place, (quality, value) in enumerate(frames):
        choice.offer(quality, value, place)
    return choice.chosen


def balanced(chance: Random) -> int:
    """A hash with half of its bits set."""
    return sum(1 << bit for bit in chance.sample(range(256), 128))


def video(seed: int, scenes: int, length: int, drift: int) -> list[Offered]:
    """Scenes of `length` frames, each of which differs from the one before in `drift` bits."""
    chance = Random(seed)
    frames = []
    for _ in range(scenes):
        value = balanced(chance)
        for _ in range(length):
            frames.append((chance.choice([100, 100, 80, 51, 50, 49, 0]), f"{value:064x}"))
            value ^= sum(1 << bit for bit in chance.sample(range(256), drift))
    return frames


def cases() -> Iterator[list[Offered]]:
    """Videos: none, one frame, black ones, a still scene, a panning one, fewer scenes than are chosen, and more."""
    yield []
    yield [(50, "5" * 64)]
    yield [(100, "0" * 64), (100, "f" * 64), (100, f"{(1 << 99) - 1:064x}"), (100, f"{(1 << 100) - 1:064x}")]
    for seed, shape in enumerate([(1, 12, 1), (1, 30, 9), (5, 4, 6), (30, 1, 0), (9, 5, 20)]):
        yield video(seed, *shape)


def main() -> None:
    """Writes the file."""
    found = [{"frames": frames, "chosen": chosen(frames)} for frames in cases()]
    (HERE / "choice.json").write_text(json.dumps(found) + "\n", "utf-8")


if __name__ == "__main__":
    main()
