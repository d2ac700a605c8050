"""The policy: what a match leads to. It is read from `policy.toml` in the gate's folder; README.md lists its keys."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from takeback.errors import SettingsError
from takeback.gate.index.chunking import MAX_PATCH_DISTANCE
from takeback.gate.index.multi_index import PATCHES_MATCH_DISTANCE, PHASH_MATCH_DISTANCE, Reach
from takeback.protocol import Action
from takeback.signals import PDQ_MATCH_DISTANCE, PDQ_QUALITY_FLOOR

__all__ = [
    "DEFAULT_BUDGET",
    "KEYS",
    "MAX_DISTANCE_BITS",
    "PDQ_REVIEW_DISTANCE",
    "POLICY_FILE",
    "Action",
    "Budget",
    "Policy",
    "Range",
    "as_toml",
    "load",
    "parse",
    "weaker",
]

PDQ_REVIEW_DISTANCE: Final = 34
"""Greatest distance in bits for a review.

Patches find nearly all that PDQ finds further away, and each bit costs: 40 look-ups among seven million entries take
5.6 ms within 31 bits, 12 within 34, 25 within 36 and 53 within 40.
"""
POLICY_FILE: Final = "policy.toml"
MAX_DISTANCE_BITS: Final = 63
"""Greatest distance that a policy may set, of 256 bits; two unrelated pictures are rarely nearer than 80."""
_MAX_POLICY_BYTES: Final = 65_536


def weaker(*actions: Action) -> Action:
    """Returns the weakest of `actions`."""
    return min(actions, key=lambda action: action.weight)


_ANY: Final = tuple(Action)
_AT_MOST_REVIEW: Final = (Action.ALLOW, Action.REVIEW)


class Budget(NamedTuple):
    """What one file may cost, in CPU seconds and megabytes; `processes` read files, and 0 means one for each core."""

    picture_seconds: float = 5.0
    video_seconds: float = 60.0
    megabytes: int = 1024
    processes: int = 0


DEFAULT_BUDGET: Final = Budget()


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy, with its defaults. `KEYS` gives each field's key in the file and its permitted values."""

    unreadable: Action = Action.REVIEW
    sha256: Action = Action.BLOCK
    md5: Action = Action.BLOCK
    pdq: Action = Action.BLOCK
    distance: int = PDQ_MATCH_DISTANCE
    review_distance: int = PDQ_REVIEW_DISTANCE
    long_list_distance: int = PDQ_MATCH_DISTANCE
    """As `review_distance`, on a list so long that each bit costs much time (`LONG_LIST_CODES`)."""
    lone_region: Action = Action.REVIEW
    quality_floor: int = PDQ_QUALITY_FLOOR
    low_quality: Action = Action.ALLOW
    low_quality_distance: int = 8
    phash: Action = Action.REVIEW
    phash_distance: int = PHASH_MATCH_DISTANCE
    vpdq: Action = Action.BLOCK
    frame_distance: int = PDQ_MATCH_DISTANCE
    upload_share: float = 0.8
    entry_share: float = 0.8
    part: Action = Action.REVIEW
    still: Action = Action.BLOCK
    shown: Action = Action.BLOCK
    patches: Action = Action.BLOCK
    patches_distance: int = PATCHES_MATCH_DISTANCE
    review_odds: int = 1000
    """One in so many uploads goes to review because of patches by chance alone, whatever the size of the list."""
    block_odds: int = 1_000_000
    demoted: Action = Action.REVIEW
    paused: Action = Action.REVIEW
    well_known: Action = Action.ALLOW
    stale_hours: float = 24.0
    stale_matched: Action = Action.BLOCK
    stale_unmatched: Action = Action.ALLOW
    never_read: Action = Action.REVIEW
    flood_matches: int = 100
    flood_minutes: float = 60.0
    picture_seconds: float = DEFAULT_BUDGET.picture_seconds
    video_seconds: float = DEFAULT_BUDGET.video_seconds
    megabytes: int = DEFAULT_BUDGET.megabytes
    processes: int = DEFAULT_BUDGET.processes

    @property
    def budget(self) -> Budget:
        """Returns what one file may cost."""
        return Budget(self.picture_seconds, self.video_seconds, self.megabytes, self.processes)

    @property
    def reach(self) -> Reach:
        """Returns the distances and qualities that the index must cover for this policy."""
        # No wider than needed: each bit makes look-ups slower.
        least = max(self.distance, self.low_quality_distance if self.uses_low_quality else 0)
        widest, long_list = max(least, self.review_distance), max(least, self.long_list_distance)
        distances = widest, self.phash_distance, self.frame_distance, self.patches_distance
        return Reach(*distances, self.least_quality, self.quality_floor, min(widest, long_list))

    @property
    def uses_low_quality(self) -> bool:
        """Returns whether PDQ hashes below the quality floor are looked up."""
        return self.low_quality is not Action.ALLOW

    @property
    def least_quality(self) -> int:
        """Returns the least quality of a PDQ hash that is looked up."""
        return 0 if self.uses_low_quality else self.quality_floor


class Range(NamedTuple):
    """The least and the greatest permitted number."""

    least: float
    most: float


class _Key(NamedTuple):
    """A field's key in the file, and its permitted values: some actions, or a range of numbers."""

    place: str
    may_be: tuple[Action, ...] | Range


KEYS: Final[Mapping[str, _Key]] = {
    "unreadable": _Key("unreadable", _ANY),
    "sha256": _Key("sha256.action", _ANY),
    "md5": _Key("md5.action", _ANY),
    "pdq": _Key("pdq.action", _ANY),
    "distance": _Key("pdq.distance", Range(0, MAX_DISTANCE_BITS)),
    "review_distance": _Key("pdq.review_distance", Range(0, MAX_DISTANCE_BITS)),
    "long_list_distance": _Key("pdq.long_list_distance", Range(0, MAX_DISTANCE_BITS)),
    "lone_region": _Key("pdq.lone_region", (Action.REVIEW, Action.BLOCK)),
    "quality_floor": _Key("pdq.quality_floor", Range(0, 100)),
    "low_quality": _Key("pdq.low_quality.action", _ANY),
    "low_quality_distance": _Key("pdq.low_quality.distance", Range(0, PDQ_MATCH_DISTANCE)),
    # phash is too coarse to block (README.md).
    "phash": _Key("phash.action", _AT_MOST_REVIEW),
    "phash_distance": _Key("phash.distance", Range(0, PHASH_MATCH_DISTANCE)),
    "vpdq": _Key("vpdq.action", _ANY),
    "frame_distance": _Key("vpdq.distance", Range(0, MAX_DISTANCE_BITS)),
    "upload_share": _Key("vpdq.upload_share", Range(0.0, 1.0)),
    "entry_share": _Key("vpdq.entry_share", Range(0.0, 1.0)),
    "part": _Key("vpdq.part", _ANY),
    "still": _Key("vpdq.still", _ANY),
    "shown": _Key("vpdq.shown_picture", _ANY),
    "patches": _Key("patches.action", _ANY),
    "patches_distance": _Key("patches.distance", Range(0, MAX_PATCH_DISTANCE)),
    "review_odds": _Key("patches.review_odds", Range(1, 1_000_000_000_000)),
    "block_odds": _Key("patches.block_odds", Range(1, 1_000_000_000_000)),
    "demoted": _Key("entries.demoted", _AT_MOST_REVIEW),
    "paused": _Key("entries.paused", _AT_MOST_REVIEW),
    "well_known": _Key("entries.well_known", _AT_MOST_REVIEW),
    "stale_hours": _Key("stale.hours", Range(0.1, 8760.0)),
    "stale_matched": _Key("stale.matched", (Action.REVIEW, Action.BLOCK)),
    "stale_unmatched": _Key("stale.unmatched", _ANY),
    "never_read": _Key("stale.never_read", _ANY),
    "flood_matches": _Key("flood.matches", Range(0, 1_000_000_000)),
    "flood_minutes": _Key("flood.minutes", Range(0.1, 10_080.0)),
    "picture_seconds": _Key("budget.picture_seconds", Range(0.5, 600.0)),
    "video_seconds": _Key("budget.video_seconds", Range(0.5, 3600.0)),
    "megabytes": _Key("budget.megabytes", Range(64, 1_048_576)),
    "processes": _Key("budget.processes", Range(0, 256)),
}
"""By field of `Policy`. A range of integers permits only integers."""


def load(home: Path) -> Policy:
    """Reads the policy in `home`, or the defaults. Raises `SettingsError` naming the line and the key that is wrong."""
    path = home / POLICY_FILE
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_POLICY_BYTES + 1)
        text = data.decode("utf-8")
    except FileNotFoundError:
        return Policy()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}") from error
    if len(data) > _MAX_POLICY_BYTES:
        raise SettingsError(f"{path} is larger than {_MAX_POLICY_BYTES} bytes")
    try:
        return parse(text)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def parse(text: str) -> Policy:
    """Parses a policy in TOML. Raises `SettingsError` if it is wrong.

    1. It is valid TOML. 2. Every key is one of `KEYS`. 3. Every value has its key's type and is within its limits.
    4. The review distance is not less than the match distance. 5. A review needs no less chance than a block.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"it is not valid TOML: {error}") from error
    given = dict(_flat(table))
    names = {key.place: name for name, key in KEYS.items()}
    for place in given:
        if place not in names:
            raise SettingsError(f"{_where(text, place)} is not a key of the policy; the keys are {', '.join(names)}")
    values = {names[place]: _value(text, place, KEYS[names[place]], value) for place, value in given.items()}
    # A policy that only raises pdq.distance stays valid.
    values.setdefault("review_distance", max(values.get("distance", 0), Policy().review_distance))
    policy = Policy(**values)
    if policy.review_distance < policy.distance:
        raise SettingsError(f"{_where(text, 'pdq.review_distance')} is less than pdq.distance, {policy.distance}")
    if policy.review_odds > policy.block_odds:
        raise SettingsError(
            f"{_where(text, 'patches.review_odds')} is more than patches.block_odds, {policy.block_odds}"
        )
    return policy


def as_toml(policy: Policy) -> str:
    """Returns the policy in TOML with all its keys, as `parse` reads it."""
    sections: dict[str, list[str]] = {}
    for held in fields(policy):
        section, _, key = KEYS[held.name].place.rpartition(".")
        value = getattr(policy, held.name)
        sections.setdefault(section, []).append(
            f'{key} = "{value}"' if isinstance(value, Action) else f"{key} = {value}"
        )
    parts = [[f"[{section}]", *lines, ""] if section else [*lines, ""] for section, lines in sections.items()]
    return "\n".join("\n".join(part) for part in parts)


def _flat(table: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Returns every value with its dotted key."""
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        place = f"{before}{key}"
        found += _flat(value, f"{place}.") if isinstance(value, dict) and value else [(place, value)]
    return found


def _value(text: str, place: str, key: _Key, value: object) -> Any:
    may_be = key.may_be
    if not isinstance(may_be, Range):
        if value not in list(may_be):
            raise SettingsError(f"{_where(text, place)} is {_named(value)}; it must be one of {', '.join(may_be)}")
        return Action(str(value))
    whole = isinstance(may_be.least, int)
    # `true` in TOML is a `bool`, which Python takes for an integer.
    if isinstance(value, int if whole else (int, float)) and not isinstance(value, bool):
        number = float(value)
        if may_be.least <= number <= may_be.most:
            return value
    kind = "an integer" if whole else "a number"
    choice = f"{kind} from {may_be.least:g} to {may_be.most:g}"
    raise SettingsError(f"{_where(text, place)} is {_named(value)}; it must be {choice}")


def _named(value: object) -> str:
    """Returns a value on one short line."""
    return repr(value)[:40]


def _where(text: str, place: str) -> str:
    """Returns a key with its line number, if that can be found."""
    section, _, key = place.rpartition(".")
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([\w.\s-]+?)\s*\]", line):
            inside = header[1]
        found = re.match(r"\s*([\w.-]+)\s*=", line)
        if found and ".".join(filter(None, [inside, found[1]])) == ".".join(filter(None, [section, key])):
            return f"line {number}: {place}"
    return place
