import re
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.gate import rate_brake as brakes
from takeback.gate.rate_brake import MAX_TRACKED_ENTRIES, RateBrake
from takeback.gate.rules.policy import KEYS, Policy, Range, as_toml, load, parse

README = (Path(__file__).parents[3] / "py/takeback/gate/README.md").read_text("utf-8")


def allowed(key: str) -> st.SearchStrategy[object]:
    """A permitted value for a key."""
    may_be = KEYS[key].may_be
    if not isinstance(may_be, Range):
        return st.sampled_from(may_be)
    whole = isinstance(may_be.least, int)
    return st.integers(int(may_be.least), int(may_be.most)) if whole else st.floats(may_be.least, may_be.most)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any valid policy."""
    policy = Policy(**{held.name: draw(allowed(held.name)) for held in fields(Policy)})  # type: ignore[arg-type]
    odds = min(policy.review_odds, policy.block_odds)
    return replace(policy, review_distance=max(policy.distance, policy.review_distance), review_odds=odds)


@given(policies())
def test_round_trip(policy: Policy) -> None:
    """Every valid policy is parsed from its own TOML."""
    assert parse(as_toml(policy)) == policy


def test_defaults(tmp_path: Path) -> None:
    """Without a file, and with an empty one, the defaults apply."""
    assert load(tmp_path) == Policy()
    (tmp_path / "policy.toml").write_text("")
    assert load(tmp_path) == Policy()


def test_a_wider_match_widens_the_review() -> None:
    """If only the match distance is set, the review distance follows it."""
    assert parse("[pdq]\ndistance = 45").review_distance == 45
    assert parse("[pdq]\ndistance = 20").review_distance == Policy().review_distance


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[pdq\n", "not valid TOML.*line 1"),
        ("a = 1\n[pdq]\n", "line 1: a is not a key of the policy; the keys are unreadable, sha256.action, "),
        ("[pdq]\n\ndistanse = 3", "line 3: pdq.distanse is not a key"),
        ("pdq = 3", "line 1: pdq is not a key"),
        ("[pdq.low_quality]\naction = 'no'", "line 2: pdq.low_quality.action is 'no'; it must be one of allow, rev"),
        ("[phash]\naction = 'block'", "line 2: phash.action is 'block'; it must be one of allow, review$"),
        ("[pdq]\ndistance = 64", "line 2: pdq.distance is 64; it must be an integer from 0 to 63"),
        ("[pdq]\ndistance = 3.5", "line 2: pdq.distance is 3.5; it must be an integer"),
        ("[pdq]\ndistance = true", "line 2: pdq.distance is True; it must be an integer"),
        ("[flood]\nminutes = 'ten'", "line 2: flood.minutes is 'ten'; it must be a number from 0.1 to 10080"),
        ("[vpdq]\nupload_share = nan", "line 2: vpdq.upload_share is nan"),
        ("vpdq.entry_share = 1.1", "line 1: vpdq.entry_share is 1.1"),
        ("[pdq]\ndistance = 31\nreview_distance = 30", "line 3: pdq.review_distance is less than pdq.distance, 31"),
        ("[sha256]\naction = ['block']", "line 2: sha256.action is "),
    ],
)  # fmt: skip
def test_refused(text: str, complaint: str) -> None:
    """A mistake is reported with its line and key, and with the permitted values."""
    with pytest.raises(SettingsError, match=complaint):
        parse(text)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Any text is a valid policy or raises `SettingsError`."""
    with suppress(SettingsError):
        parse(text)


def test_the_file_is_named(tmp_path: Path) -> None:
    """An error names the file; one that is not text, or far too long, is refused."""
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
    """The index reaches as far as the farthest rule needs, and holds low quality only if a rule uses it."""
    assert Policy().reach.pdq == Policy().review_distance
    assert parse("[pdq]\nreview_distance = 50").reach.pdq == 50
    assert Policy().reach.long_list_pdq == 31
    assert parse("[pdq]\ndistance = 33").reach.long_list_pdq == 33
    assert parse("[pdq]\nlong_list_distance = 40").reach.long_list_pdq == Policy().review_distance
    assert Policy().reach.quality == 50
    assert parse("[pdq.low_quality]\naction = 'review'").reach.quality == 0


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_brake() -> None:
    """A picture that matches more often than the rate is braked until it matches less often; others are not."""
    clock = Clock()
    flood = RateBrake(3, 60, clock)
    assert [flood.count(["a"]) for _ in range(5)] == [False] * 3 + [True] * 2
    assert not flood.count(["b"])
    clock.now = 20
    assert not flood.count(["a"])
    assert flood.count(["a"])
    clock.now = 200
    assert not flood.count(["a"])


def test_what_matches_one_upload_shares_a_level() -> None:
    """An entry that matches beside a braked one is braked at once; others are not."""
    flood = RateBrake(3, 60, Clock())
    for _ in range(3):
        flood.count(["a"])
    assert flood.count(["a", "added later"])
    assert flood.count(["added later"])
    assert not flood.count(["other"])


def test_an_uploader_counts_once() -> None:
    """However often one person uploads a picture, it counts once in the period, and others count too."""
    clock = Clock()
    flood = RateBrake(3, 60, clock)
    assert not any(flood.count(["a", "b"], "bot") for _ in range(99))
    assert not any(flood.count([entry], "bot") for entry in ("a", "b", "a"))
    assert [flood.count(["a"], person) for person in ("1", "2", "3")] == [False, False, True]
    assert flood.count(["a"], "bot")
    clock.now = 60
    assert [flood.count(["a"], person) for person in ("bot", "bot", "1", "2", "3")] == [False] * 4 + [True]


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from("abcd"), min_size=1), st.integers(0, 5), st.integers(0, 30)), max_size=60
    )
)
def test_the_brake_takes_more_people_than_the_rate(uploads: list[tuple[set[str], int, int]]) -> None:
    """Fewer people than the rate never trigger the brake, whatever they upload."""
    clock = Clock()
    flood = RateBrake(5, 10_000, clock)
    for entries, person, pause in uploads:
        clock.now += pause
        is_flood = flood.count(sorted(entries), str(person % 4))
        assert not is_flood


def test_no_uploader_can_be_read() -> None:
    """Two gates store different numbers for one uploader, and never a name."""
    first, second = RateBrake(3, 60, Clock()), RateBrake(3, 60, Clock())
    for flood in (first, second):
        flood.count(["a"], "account 7")
    assert first._uploaders.keys().isdisjoint(second._uploaders)
    assert all(len(number) == 8 for number in first._uploaders)


def test_no_brake() -> None:
    """With a rate of 0 nothing is braked."""
    flood = RateBrake(0, 60, Clock())
    assert not any(flood.count(["a"]) for _ in range(500))


def test_the_brake_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The brake keeps at most its limits of entries and uploaders, the latest ones."""
    monkeypatch.setattr(brakes, "MAX_TRACKED_UPLOADERS", 50)
    flood = RateBrake(1, 60, Clock())
    flood.count(["first"])
    for number in range(MAX_TRACKED_ENTRIES):
        flood.count([str(number)], str(number) if number < 100 else None)
    assert not flood.count(["first"])
    assert flood.count([str(MAX_TRACKED_ENTRIES - 1)])
    assert (len(flood._levels), len(flood._uploaders)) == (MAX_TRACKED_ENTRIES, 50)
