from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from takeback.errors import (
    FeedBroken,
    KeyRefused,
    PictureError,
    RegistryUnreachable,
    SettingsError,
    StateDamaged,
)
from takeback.gate import Action, Gate, Synced, Verdict
from takeback.gate.feed.follow import FeedPosition
from takeback.gate.feed.state import STATE_FILE
from takeback.gate.rules import votes
from takeback.gate.rules.media import MediaKind
from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture
from takeback.hashing.exact import exact_signals
from takeback.protocol import EntryStatus
from takeback.signals import Frame, Signal, SignalType, Variant, patches_value
from tests.gate.codes import flip
from tests.gate.feeds import KEY, Log, entry_id, signal
from tests.gate.pictures import drawing, jpeg, sent
from tests.gate.servers import Answer, Registry, problem, running

PICTURE = drawing(1)
FILE = jpeg(PICTURE)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An honest registry."""
    with running() as started:
        yield started


@pytest.fixture
def home(registry: Registry, tmp_path: Path) -> Path:
    """A folder that follows the registry."""
    save(tmp_path / "gate", GateSettings(registry.url, KEY))
    return tmp_path / "gate"


@pytest.fixture
def gate(home: Path) -> Iterator[Gate]:
    """A gate that follows the registry."""
    with Gate.open(home) as opened:
        yield opened


def publish(registry: Registry, data: bytes) -> dict[str, str]:
    """Publishes the signals of a picture; returns their entries by type or, for stored pixels, variant."""
    return {(s.variant if s.variant is not Variant.WHOLE else s.type): registry.log.add(s) for s in sent(data)}


def patches(codes: list[int]) -> Signal:
    """A signal of one frame with these patches."""
    return Signal(SignalType.PATCHES, patches_value([[f"{code:016x}" for code in codes]]))


def test_main_path(registry: Registry, gate: Gate) -> None:
    """A picture that is saved again and resized is blocked, and passes once it is withdrawn."""
    entries = publish(registry, FILE)
    assert gate.sync() == Synced(added=3, removed=0, delivered=0, checkpoint=3, head=3)
    copy = jpeg(PICTURE.resize((320, 240)), quality=60)
    decision = gate.check(copy)
    assert decision.action is Action.BLOCK
    (match,) = decision.matches
    assert (match.entry, match.type, match.dihedral) == (entries["pdq"], SignalType.PDQ, "orig")
    assert gate.check(jpeg(drawing(2))).action is Action.ALLOW
    for entry in entries.values():
        registry.log.remove(entry)
    assert gate.sync().removed == 3
    assert gate.check(copy).action is Action.ALLOW
    assert gate.check(FILE).action is Action.ALLOW


def test_same_file(registry: Registry, gate: Gate, tmp_path: Path) -> None:
    """The same file is blocked by all its signals, sha256 first, whether given as bytes or as a path."""
    publish(registry, FILE)
    gate.sync()
    (tmp_path / "upload.jpg").write_bytes(FILE)
    for upload in (FILE, tmp_path / "upload.jpg", str(tmp_path / "upload.jpg")):
        assert [match.type for match in gate.check(upload).matches] == ["sha256", "md5", "pdq"]


@pytest.mark.parametrize(
    "turn",
    [
        Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_270,
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.TRANSVERSE,
    ],
)
def test_turned(registry: Registry, gate: Gate, turn: Image.Transpose) -> None:
    """A picture that is rotated or mirrored is blocked, and the reason says so."""
    entries = publish(registry, FILE)
    gate.sync()
    decision = gate.check(jpeg(PICTURE.transpose(turn)))
    assert [match.entry for match in decision.matches] == [entries["pdq"]]
    assert "turned or mirrored" in decision.explain()


def test_orientation_mark(registry: Registry, gate: Gate) -> None:
    """A picture is blocked as a viewer shows it, and as its pixels are stored."""
    registry.log.add(hash_picture(FILE).signals[0])
    gate.sync()
    stored = PICTURE.transpose(Image.Transpose.ROTATE_90)
    assert gate.check(jpeg(stored, orientation=6)).action is Action.BLOCK
    marked = gate.check(jpeg(PICTURE, orientation=6))
    assert marked.matches[0].variant == "stored"


def test_low_quality_upload(registry: Registry, gate: Gate) -> None:
    """A picture without detail is blocked only by its exact hashes, not even by an equal pdq."""
    flat = jpeg(Image.new("RGB", (300, 300), (200, 100, 50)))
    hashed = hash_picture(flat)
    assert hashed.quality < 50
    registry.log.add(Signal(SignalType.PDQ, hashed.signals[0].value, 100))
    gate.sync()
    decision = gate.check(flat)
    assert (decision.action, decision.explain()) == (
        Action.ALLOW,
        f"pdq not used: quality {hashed.quality} is below 50",
    )
    registry.log.add(exact_signals(flat)[0])
    gate.sync()
    assert gate.check(flat).action is Action.BLOCK


def test_unreadable(registry: Registry, gate: Gate, tmp_path: Path) -> None:
    """A picture that cannot be hashed asks for a review, and is blocked if its exact hash is in the feed."""
    cut = FILE[:300]
    gate.sync()
    decision = gate.check(cut)
    assert (decision.action, decision.kind, decision.why) == (Action.REVIEW, MediaKind.UNREADABLE, "damaged-picture")
    assert decision.explain() == "unreadable: the picture is cut short or broken inside"
    registry.log.add(exact_signals(cut)[0])
    gate.sync()
    assert gate.check(cut).action is Action.BLOCK
    for path, complaint in ((tmp_path / "not-there", "does not exist"), (tmp_path, "is not a file")):
        with pytest.raises(PictureError, match=complaint):
            gate.check(path)


@pytest.mark.parametrize("action", Action)
def test_the_policy_says_what_is_done_with_unreadable_files(registry: Registry, gate: Gate, action: Action) -> None:
    """The policy's `unreadable` decides on such files; a match still counts."""
    gate.policy = replace(gate.policy, unreadable=action)
    gate.sync()
    assert gate.check(FILE[:300]).action is action
    assert gate.check(b"hello", given="image/png").action is action
    assert gate.check(FILE).action is Action.ALLOW
    registry.log.add(exact_signals(FILE[:300])[1])
    gate.sync()
    assert gate.check(FILE[:300]).action is Action.BLOCK


def test_other_files_pass(registry: Registry, gate: Gate) -> None:
    """A text or a PDF is allowed and named as such, and blocked if its exact hash is in the feed."""
    gate.sync()
    for data in (b"hello", b"%PDF-1.7 ...", b""):
        decision = gate.check(data, given="application/pdf")
        named = "not_media: neither a picture nor a video"
        assert (decision.action, decision.kind, decision.explain()) == (Action.ALLOW, MediaKind.NOT_MEDIA, named)
    registry.log.add(exact_signals(b"hello")[0])
    gate.sync()
    assert gate.check(b"hello").action is Action.BLOCK


def test_never_synced(gate: Gate) -> None:
    """Before the first sync an upload is for review, because nothing is known."""
    assert gate.check(FILE).action is Action.REVIEW


def test_signals_alone(registry: Registry, gate: Gate) -> None:
    """A platform that hashes uploads itself checks its signals."""
    registry.log.add(signal(1))
    gate.sync()
    assert gate.check_signals([signal(1)]).action is Action.BLOCK
    assert gate.check_signals([signal(2), signal(1, SignalType.SHA256)]).action is Action.ALLOW


def test_long_feed(registry: Registry, gate: Gate) -> None:
    """A feed of many pages is followed to its end, and the last request confirms the checkpoint."""
    for seed in range(2500):
        registry.log.add(signal(seed))
    told: list[FeedPosition] = []
    assert gate.sync(told.append) == Synced(2500, 0, 0, 2500, 2500)
    assert told == [FeedPosition(n, 2500, registry.log.link(n)) for n in (1000, 2000, 2500)]
    assert [request.query["after"] for request in registry.requests] == [0, 1000, 2000, 2500]
    assert gate.check_signals([signal(2499)]).action is Action.BLOCK


def test_another_process_syncs(registry: Registry, home: Path, gate: Gate) -> None:
    """A process decides at once by what another one syncs, without a request of its own."""
    with Gate.open(home) as watcher:
        entry = registry.log.add(signal(1))
        watcher.sync()
        assert gate.check_signals([signal(1)]).action is Action.BLOCK
        registry.log.remove(entry)
        registry.log.add(signal(2))
        watcher.sync()
        assert gate.check_signals([signal(1)]).action is Action.ALLOW
        assert gate.check_signals([signal(2)]).action is Action.BLOCK


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(b'{"entries":[],"head":0}'), FeedBroken),
        (Answer(b"garbage"), FeedBroken),
        (problem(500), RegistryUnreachable),
        (problem(401), KeyRefused),
    ],
)
def test_trouble(registry: Registry, gate: Gate, answer: Answer, error: type[Exception]) -> None:
    """In trouble the gate keeps its checkpoint and goes on deciding; afterwards it follows on."""
    registry.log.add(signal(1))
    gate.sync()
    registry.log.add(signal(2))
    registry.answer = lambda _: answer
    with pytest.raises(error):
        gate.sync()
    assert gate.status().checkpoint == 1
    assert gate.check_signals([signal(1)]).action is Action.BLOCK
    registry.answer = registry.honest
    assert gate.sync().added == 1


def test_trouble_in_the_middle(registry: Registry, gate: Gate) -> None:
    """If the second page breaks a rule, the first stays applied and nothing of the second is."""
    for seed in range(1500):
        registry.log.add(signal(seed))
    log, hole = registry.log, Log()
    hole.lines = [*log.lines[:1200], *log.lines[1201:]]
    registry.log = hole
    with pytest.raises(FeedBroken, match="rule 1: a gap at number 1201: the registry sent number 1202"):
        gate.sync()
    assert gate.status().checkpoint == 1000
    registry.log = log
    assert gate.sync() == Synced(500, 0, 0, 1500, 1500)


def test_entry_status(registry: Registry, gate: Gate) -> None:
    """An entry that the registry demotes or pauses asks for a review, and may block again; the status counts them."""
    entry = registry.log.add(signal(1))
    for standing, action in (
        (EntryStatus.REVIEW, Action.REVIEW),
        (EntryStatus.PAUSED, Action.REVIEW),
        (EntryStatus.BLOCK, Action.BLOCK),
    ):
        registry.log.change(entry, standing)
        paused = standing is EntryStatus.PAUSED
        assert (gate.sync().paused, gate.status().paused) == (paused, paused)
        assert gate.check_signals([signal(1)]).action is action


def bits_off(bits: int, first: int = 0) -> Signal:
    """A PDQ that differs from `signal(1)` in this number of bits, counted from a bit on."""
    return Signal(SignalType.PDQ, f"{int(signal(1).value, 16) ^ ((1 << bits) - 1) << first:064x}", 90)


def test_a_near_code_inherits_the_level(registry: Registry, gate: Gate) -> None:
    """A code near a harmless picture is braked after 100 uploads, and a second one at once."""
    registry.log.add(bits_off(30))
    gate.sync()
    picture = [signal(1)]
    actions = [gate.check_signals(picture).action for _ in range(101)]
    assert actions == [Action.BLOCK] * 100 + [Action.REVIEW]
    registry.log.add(bits_off(29, 100))
    gate.sync()
    decision = gate.check_signals(picture)
    assert (decision.action, len(decision.matches)) == (Action.REVIEW, 2)
    assert all("suddenly matches many uploads" in match.because for match in decision.matches)


def test_a_code_beside_a_paused_one_is_braked(registry: Registry, gate: Gate) -> None:
    """A code that is added near a paused entry inherits the level of that entry."""
    first = registry.log.add(bits_off(30))
    gate.sync()
    for _ in range(100):
        gate.check_signals([signal(1)])
    registry.log.change(first, EntryStatus.PAUSED)
    registry.log.add(bits_off(29, 100))
    gate.sync()
    assert gate.check_signals([signal(1)]).action is Action.REVIEW


def test_one_bot_is_one_person(registry: Registry, gate: Gate) -> None:
    """If the platform names uploaders, a thousand uploads by one bot do not trigger the brake."""
    registry.log.add(signal(1))
    gate.sync()
    actions = {gate.check_signals([signal(1)], uploader="bot").action for _ in range(1000)}
    assert actions == {Action.BLOCK}
    assert gate.check_signals([signal(1)], uploader="somebody").action is Action.BLOCK
    people = [gate.check_signals([signal(1)], uploader=str(number)).action for number in range(100)]
    assert people == [Action.BLOCK] * 98 + [Action.REVIEW] * 2


def test_what_moderators_confirmed_is_not_braked(registry: Registry, gate: Gate) -> None:
    """A confirmed entry goes on blocking at any rate, until one `not_blocked`."""
    entry = registry.log.add(signal(1))
    gate.sync()
    decisions = [gate.check_signals([signal(1)]) for _ in range(101)]
    gate.feedback(decisions[0], Verdict.BLOCKED)
    assert gate.check_signals([signal(1)]).action is Action.REVIEW
    gate.feedback(decisions[-1], Verdict.BLOCKED, confirmed=True)
    assert gate.check_signals([signal(1)]).action is Action.BLOCK
    gate.feedback(decisions[-1], Verdict.NOT_BLOCKED)
    assert gate.check_signals([signal(1)]).action is Action.REVIEW
    gate.feedback([entry, entry_id(99)], Verdict.BLOCKED, confirmed=True)
    registry.log.remove(entry)
    gate.sync()
    assert gate._state.confirmed([entry, entry_id(99)]) == frozenset()


def test_policy(registry: Registry, home: Path) -> None:
    """The policy in the folder sets distances, the rate brake and the benign list; a wrong one stops the gate."""
    near = Signal(SignalType.PDQ, f"{int(signal(1).value, 16) ^ (1 << 36) - 1:064x}", 90)
    for seed in (1, 2, 3):
        registry.log.add(signal(seed))
    (home / "policy.toml").write_text("[pdq]\nreview_distance = 40\n[flood]\nmatches = 2")
    (home / "well-known.txt").write_text(f"pdq {signal(3).value}")
    with Gate.open(home) as gate:
        gate.sync()
        assert gate.check_signals([near]).action is Action.REVIEW
        assert gate.check_signals([signal(3)]).action is Action.ALLOW
        actions = [gate.check_signals([signal(1)]).action for _ in range(4)]
        assert actions == [Action.BLOCK, Action.BLOCK, Action.REVIEW, Action.REVIEW]
        assert gate.check_signals([signal(2)]).action is Action.BLOCK
        gate.uses_rate_brake = False
        assert gate.check_signals([signal(1)]).action is Action.BLOCK
    (home / "policy.toml").write_text("[pdq]\nreview_distance = 400")
    with pytest.raises(SettingsError, match=r"policy\.toml: line 2: pdq\.review_distance is 400"):
        Gate.open(home)


def test_video(registry: Registry, gate: Gate) -> None:
    """A video that holds most of a registered one, or is a clip of it, is blocked; a moment of it asks for a review."""
    frames = [Frame(place, 90, signal(place).value, float(place)) for place in range(5)]
    registry.log.add(Signal(SignalType.VPDQ, ";".join(map(str, frames))))
    gate.sync()
    shorter = gate.check_signals([Signal(SignalType.VPDQ, ";".join(map(str, frames[:4])))])
    assert (shorter.action, shorter.matches[0].shares) == (Action.BLOCK, (1.0, 0.8))
    others = [Frame(place, 90, signal(place).value, float(place)) for place in range(4, 9)]
    for shown, action in ((frames[:2], Action.BLOCK), (others, Action.REVIEW), (others[1:], Action.ALLOW)):
        assert gate.check_signals([Signal(SignalType.VPDQ, ";".join(map(str, shown)))]).action is action


def test_patches(registry: Registry, home: Path, gate: Gate) -> None:
    """An upload with three parts of a picture is blocked, one with two is reviewed, until it is withdrawn."""
    numbers = Random(1)
    codes = [numbers.getrandbits(64) for _ in range(6)]
    entry = registry.log.add(patches(codes))
    gate.sync()
    near = [flip(code, 6, code, 64) for code in codes]
    far = [flip(code, 20, code, 64) for code in codes]
    blocked = gate.check_signals([patches([*near[:3], *far[3:]])])
    assert (blocked.action, blocked.matches[0].votes) == (Action.BLOCK, 3)
    assert "patches: 3 parts of the picture match" in blocked.explain()
    assert gate.check_signals([patches([*near[:2], *far[2:]])]).action is Action.REVIEW
    assert gate.check_signals([patches([*near[:1], *far[1:]])]).action is Action.ALLOW
    with Gate.open(home) as other:
        assert other.check_signals([patches(near)]).matches[0].votes == 6
    registry.log.remove(entry)
    gate.sync()
    assert gate.check_signals([patches(codes)]).action is Action.ALLOW


@pytest.mark.parametrize("is_long", [False, True])
def test_patches_further_away(registry: Registry, gate: Gate, monkeypatch: pytest.MonkeyPatch, is_long: bool) -> None:
    """Patches 8 bits away count; on a long list only where two others are within 5."""
    monkeypatch.setattr(votes, "SHORT_LIST", 0 if is_long else 10_000)
    numbers = Random(2)
    codes = [numbers.getrandbits(64) for _ in range(6)]
    registry.log.add(patches(codes))
    gate.sync()
    near, far = [code ^ 0x1F0000 for code in codes], [code ^ 0xFF0000 for code in codes]
    assert gate.check_signals([patches([*near[:2], *far[2:]])]).matches[0].votes == 6
    alone = gate.check_signals([patches([*near[:1], *far[1:]])])
    assert (alone.action is Action.ALLOW) == is_long


def test_patches_count_for_the_rate_brake(registry: Registry, home: Path) -> None:
    """A picture whose parts suddenly block many uploads asks for reviews instead."""
    (home / "policy.toml").write_text("[flood]\nmatches = 3\n")
    codes = [Random(1).getrandbits(64), Random(2).getrandbits(64), Random(3).getrandbits(64)]
    registry.log.add(patches(codes))
    with Gate.open(home) as gate:
        gate.sync()
        actions = [gate.check_signals([patches(codes)]).action for _ in range(5)]
    assert actions == [Action.BLOCK] * 3 + [Action.REVIEW] * 2


def test_a_policy_without_patches(registry: Registry, home: Path) -> None:
    """With `patches.action = "allow"` no part of a picture stops an upload."""
    (home / "policy.toml").write_text('[patches]\naction = "allow"\n')
    codes = [Random(seed).getrandbits(64) for seed in range(5)]
    registry.log.add(patches(codes))
    with Gate.open(home) as gate:
        gate.sync()
        assert gate.check_signals([patches(codes)]).action is Action.ALLOW


def test_a_lone_region(registry: Registry, gate: Gate) -> None:
    """A region that matches a listed region alone is reviewed; the same hash of a whole upload is blocked."""
    region = Signal(SignalType.PDQ, signal(1).value, 90, Variant.TRIMMED)
    registry.log.add(region)
    gate.sync()
    assert gate.check_signals([region]).action is Action.REVIEW
    assert gate.check_signals([Signal(SignalType.PDQ, region.value, region.quality)]).action is Action.BLOCK


def test_feedback(registry: Registry, gate: Gate) -> None:
    """Feedback on a decision arrives with all entries that the upload matched, once however often it is given."""
    entries = publish(registry, FILE)
    gate.sync()
    decision = gate.check(FILE)
    assert gate.feedback(decision, Verdict.BLOCKED) == 1
    gate.feedback(decision, "blocked")
    assert registry.feedback == {}
    assert gate.status().feedback_waiting == 1
    assert gate.sync().delivered == 1
    gate.feedback(decision, Verdict.BLOCKED)
    gate.send_feedback()
    ((verdict, told),) = registry.feedback.values()
    assert (verdict, set(told)) == ("blocked", set(entries.values()))
    gate.feedback(decision, Verdict.NOT_BLOCKED)
    gate.send_feedback()
    assert [verdict for verdict, _ in registry.feedback.values()] == ["blocked", "not_blocked"]


def test_feedback_outlives_trouble(registry: Registry, home: Path) -> None:
    """Unsent feedback stays queued through a restart, and a lost answer does not count it twice."""

    def lose(request: object) -> Answer:
        registry.honest(request)  # type: ignore[arg-type]
        return problem(503)

    registry.answer = lose
    with Gate.open(home) as gate:
        gate.feedback([entry_id(1)], Verdict.PENDING_REVIEW)
        with pytest.raises(RegistryUnreachable):
            gate.send_feedback()
    registry.answer = registry.honest
    with Gate.open(home) as gate:
        assert gate.send_feedback() == 1
        assert gate.send_feedback() == 0
    assert list(registry.feedback.values()) == [("pending_review", [entry_id(1)])]


def test_much_feedback(registry: Registry, gate: Gate) -> None:
    """Feedback beyond the limit of one event or message is divided."""
    entries = [entry_id(number) for number in range(100)]
    for _ in range(40):
        assert gate.feedback(entries, Verdict.BLOCKED) == 2
    assert gate.send_feedback() == 80
    assert len(registry.feedback) == 80
    assert len(registry.requests) > 1


def test_nothing_to_say(registry: Registry, gate: Gate) -> None:
    """Feedback on an upload that matched nothing sends nothing; a wrong entry id or verdict is refused."""
    assert gate.feedback(gate.check_signals([signal(1)]), Verdict.NOT_BLOCKED) == 0
    with pytest.raises(SettingsError, match="32 lowercase hex digits"):
        gate.feedback(["x"], Verdict.BLOCKED)
    with pytest.raises(SettingsError, match="blocked, not_blocked, pending_review"):
        gate.feedback([entry_id(1)], "deleted")
    assert gate.send_feedback() == 0
    assert registry.requests == []


def test_status(registry: Registry, gate: Gate) -> None:
    """The status gives the registry, the position, the entries by type, the queued feedback, and the age."""
    assert gate.status().age is None
    publish(registry, FILE)
    gate.sync()
    status = gate.status()
    assert (status.registry, status.checkpoint, status.head) == (registry.url, 3, 3)
    assert status.entries == {SignalType.PDQ: 1, SignalType.SHA256: 1, SignalType.MD5: 1}
    assert status.age is not None
    assert status.age < 60


def test_damage_while_open(registry: Registry, home: Path) -> None:
    """A state that cannot be read stops the gate with what to do, and reading the feed again repairs it."""
    for seed in range(300):
        registry.log.add(signal(seed))
    with Gate.open(home) as gate:
        gate.sync()
    file = home / STATE_FILE
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(StateDamaged, match="move the file away"), closing(Gate.open(home)) as gate:
        gate.check_signals([signal(1)])
    file.unlink()
    with Gate.open(home) as gate:
        assert gate.sync().added == 300


def test_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default folder is TAKEBACK_GATE_HOME; without either, the error says so."""
    monkeypatch.delenv("TAKEBACK_GATE_HOME", raising=False)
    with pytest.raises(SettingsError, match="TAKEBACK_GATE_HOME"):
        Gate.open()
    monkeypatch.setenv("TAKEBACK_GATE_HOME", str(home))
    with Gate.open() as gate:
        assert gate.status().checkpoint == 0
