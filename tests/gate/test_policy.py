import re
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.gate.flood import MAX_ENTRIES, Flood
from takeback.gate.policy import KEYS, Policy, Range, as_toml, load, parse
from takeback.gate.well_known import WellKnown
from takeback.signals import SignalType
from tests.gate.codes import flip, pdq
from tests.gate.feeds import signal

README = (Path(__file__).parents[2] / "py/takeback/gate/README.md").read_text("utf-8")


def allowed(key: str) -> st.SearchStrategy[object]:
    """What a key may be."""
    may_be = KEYS[key].may_be
    if not isinstance(may_be, Range):
        return st.sampled_from(may_be)
    whole = isinstance(may_be.least, int)
    return st.integers(int(may_be.least), int(may_be.most)) if whole else st.floats(may_be.least, may_be.most)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy that can be."""
    policy = Policy(**{held.name: draw(allowed(held.name)) for held in fields(Policy)})  # type: ignore[arg-type]
    return replace(policy, review_distance=max(policy.distance, policy.review_distance))


@given(policies())
def test_round_trip(policy: Policy) -> None:
    """Every policy that can be is read from its own text."""
    assert parse(as_toml(policy)) == policy


def test_defaults(tmp_path: Path) -> None:
    """Without a file, and with an empty one, the defaults hold."""
    assert load(tmp_path) == Policy()
    (tmp_path / "policy.toml").write_text("")
    assert load(tmp_path) == Policy()


def test_a_wider_match_widens_the_review() -> None:
    """Who sets the distance of a match alone need not set that of a review."""
    assert parse("[pdq]\ndistance = 45").review_distance == 45
    assert parse("[pdq]\ndistance = 20").review_distance == Policy().review_distance


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[pdq\n", "not TOML.*line 1"),
        ("a = 1\n[pdq]\n", "line 1: a is not a key of the policy; there are sha256.action, "),
        ("[pdq]\n\ndistanse = 3", "line 3: pdq.distanse is not a key"),
        ("pdq = 3", "line 1: pdq is not a key"),
        ("[pdq.low_quality]\naction = 'no'", "line 2: pdq.low_quality.action is 'no'; it may be allow, rev"),
        ("[phash]\naction = 'block'", "line 2: phash.action is 'block'; it may be allow, review$"),
        ("[pdq]\ndistance = 64", "line 2: pdq.distance is 64; it is a whole number from 0 to 63"),
        ("[pdq]\ndistance = 3.5", "line 2: pdq.distance is 3.5; it is a whole number"),
        ("[pdq]\ndistance = true", "line 2: pdq.distance is True; it is a whole number"),
        ("[flood]\nminutes = 'ten'", "line 2: flood.minutes is 'ten'; it is a number from 0.1 to 10080"),
        ("[vpdq]\nupload_share = nan", "line 2: vpdq.upload_share is nan"),
        ("vpdq.entry_share = 1.1", "line 1: vpdq.entry_share is 1.1"),
        ("[pdq]\ndistance = 31\nreview_distance = 30", "line 3: pdq.review_distance is less than pdq.distance, 31"),
        ("[sha256]\naction = ['block']", "line 2: sha256.action is "),
    ],
)  # fmt: skip
def test_refused(text: str, complaint: str) -> None:
    """What is wrong is told with its line and key, and with what there may be instead."""
    with pytest.raises(SettingsError, match=complaint):
        parse(text)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Any text is a policy or refused by our own error."""
    with suppress(SettingsError):
        parse(text)


def test_the_file_is_named(tmp_path: Path) -> None:
    """An error names the file; one that is no text, or far too long, is refused."""
    path = tmp_path / "policy.toml"
    for data in (b"[pdq]\ndistance = 99", b"\xff", b"#" * 70_000):
        path.write_bytes(data)
        with pytest.raises(SettingsError, match=r"policy\.toml"):
            load(tmp_path)


def test_readme() -> None:
    """The README's table has a row for every key, with its default, and no other."""
    rows = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| `([^`]+)` \|", README.partition("## The policy")[2], re.MULTILINE))
    defaults = Policy()
    assert rows == {KEYS[held.name].place: str(getattr(defaults, held.name)) for held in fields(Policy)}


def test_reach() -> None:
    """The index finds as far as the farthest rule needs, and holds low quality only if a rule asks for it."""
    assert Policy().reach.pdq == Policy().review_distance
    assert parse("[pdq]\nreview_distance = 50").reach.pdq == 50
    assert Policy().reach.quality == 50
    assert parse("[pdq.low_quality]\naction = 'review'").reach.quality == 0


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_flood() -> None:
    """An entry that matches more often than the rate floods until it matches less often; others do not."""
    clock = Clock()
    flood = Flood(3, 60, clock)
    assert [flood.count(["a", "b"][: 1 + (n == 0)]) for n in range(5)] == [frozenset()] * 3 + [{"a"}] * 2
    clock.now = 20
    assert flood.count(["a", "b"]) == frozenset()
    assert flood.count(["a"]) == {"a"}
    clock.now = 200
    assert flood.count(["a"]) == frozenset()


def test_no_brake() -> None:
    """With a rate of 0 nothing floods."""
    flood = Flood(0, 60, Clock())
    assert {flood.count(["a"]) for _ in range(500)} == {frozenset()}


def test_the_brake_forgets() -> None:
    """The brake keeps no more entries than it has room for, and those that matched last."""
    flood = Flood(1, 60, Clock())
    flood.count(["first"])
    flood.count([str(number) for number in range(MAX_ENTRIES)])
    assert flood.count(["first"]) == frozenset()
    assert flood.count([str(MAX_ENTRIES - 1)]) == {str(MAX_ENTRIES - 1)}


def test_well_known(tmp_path: Path) -> None:
    """A file of signals is read with remarks and empty lines; a near pdq and an equal md5 are on it."""
    (tmp_path / "well-known.txt").write_text(
        f"# ours\n\npdq {pdq(7).value.upper()} # a flag\nmd5 {signal(1, SignalType.MD5).value}\n"
    )
    known = WellKnown.load(tmp_path, Policy(distance=10, review_distance=31))
    assert known.holds([signal(2), pdq(flip(7, 10, 1))])
    assert not known.holds([pdq(flip(7, 11, 1)), signal(2, SignalType.MD5)])
    assert known.holds([signal(1, SignalType.MD5)])
    assert not WellKnown.load(tmp_path / "none", Policy()).holds([pdq(7)])


@pytest.mark.parametrize("line", ["pdq", "pdq 12", "colour " + "0" * 64, "phash " + "0" * 16, "md5 a b"])
def test_well_known_refused(tmp_path: Path, line: str) -> None:
    """A line that is not a type and a value, or of a type that is not sure enough, is named."""
    (tmp_path / "well-known.txt").write_text(f"\n{line}\n")
    with pytest.raises(SettingsError, match=r"well-known\.txt, line 2"):
        WellKnown.load(tmp_path, Policy())
