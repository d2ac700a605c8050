"""How platforms use the public API, as `mypy --strict` reads it; tests/test_api.py runs each of these."""

from pathlib import Path

from takeback import __version__
from takeback.errors import FeedBroken, GateError, PictureError, RegistryUnreachable, TakebackError
from takeback.gate import Action, Decision, Feed, FeedPosition, Gate, Match, MediaKind, Policy, Status, Synced, Verdict
from takeback.hashing import HashedPicture, Signal, SignalType, Thumbnail, Variant, hash_picture, with_variants


def major() -> int:
    """The part of the version that changes when the API breaks."""
    return int(__version__.partition(".")[0])


def pdq_of(picture: bytes) -> tuple[str, int]:
    """The PDQ hash of a picture as people see it, in hex, and its quality."""
    hashed: HashedPicture = hash_picture(picture)
    signal: Signal = next(one for one in hashed.signals if one.type is SignalType.PDQ)
    assert signal.variant is Variant.WHOLE
    assert signal.quality is not None
    return signal.value, signal.quality


def views_of(picture: bytes) -> list[str]:
    """The names of the views that a person who registers the picture sends."""
    return [signal.variant.value for signal in with_variants(hash_picture(picture)).signals]


def thumbnail_size(picture: bytes) -> tuple[int, int]:
    """The size of what the views are made from, in pixels."""
    plane: Thumbnail = hash_picture(picture).thumbnail
    return plane.width, plane.height


def hash_or_reason(picture: bytes) -> str:
    """What to tell of a file: its hash, or the stable code of why it has none."""
    try:
        return pdq_of(picture)[0]
    except PictureError as error:
        return error.code


def is_welcome(gate: Gate, upload: bytes | str | Path, uploader: str) -> bool:
    """Whether an upload may be stored; what is blocked is reported."""
    decision: Decision = gate.check(upload, uploader=uploader)
    if decision.action is Action.BLOCK:
        gate.feedback(decision, Verdict.BLOCKED)
    return decision.action is Action.ALLOW


def reasons(decision: Decision) -> list[str]:
    """Each match in words, the strongest first."""
    matches: tuple[Match, ...] = decision.matches
    return [f"{match.type.value} at {match.distance}: {match.explain()}" for match in matches]


def check_elsewhere(gate: Gate, value: str, quality: int) -> Action:
    """The decision of a platform that hashes by itself."""
    return gate.check_signals([Signal(SignalType.PDQ, value, quality)]).action


def is_unreadable(decision: Decision) -> bool:
    """Whether the file is a picture that could not be hashed."""
    return decision.kind is MediaKind.UNREADABLE


def sync_or_wait(gate: Gate, seen: list[int]) -> str:
    """What a platform's own scheduler does: follow the feed, and tell apart what passes from what needs a person."""

    def on_page(position: FeedPosition) -> None:
        seen.append(position.checkpoint)

    try:
        synced: Synced = gate.sync(on_page)
    except RegistryUnreachable:
        return "try again later"
    except FeedBroken as error:
        return f"alarm: {error}"
    except GateError as error:
        return f"stop: {error}"
    return f"{synced.added} added at {synced.checkpoint}"


def health(gate: Gate) -> dict[str, object]:
    """What to show on a dashboard."""
    status: Status = gate.status()
    feed: Feed = gate.freshness()
    policy: Policy = gate.policy
    return {
        "entries": sum(status.entries.values()),
        "stale": feed.is_stale,
        "warning": gate.warning(),
        "blocks within": policy.distance,
    }


def open_gate(home: Path) -> Gate | None:
    """The gate in a folder, or None where it was not set up."""
    try:
        return Gate.open(home)
    except TakebackError:
        return None
