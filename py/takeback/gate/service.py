"""The gate: follows the feed and decides on uploads. The shell around `follow`, `index` and `decision`."""

import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, Final, Self

from takeback.chain import check_time, follow_key
from takeback.errors import FeedBroken, PictureError, RegistryUnreachable, SettingsError, StateDamaged
from takeback.gate import settings as settings_file
from takeback.gate.feed import snapshot_import
from takeback.gate.feed.client import Client, batch
from takeback.gate.feed.follow import Added, Changed, Changes, FeedPosition, Removed, Step, agree, follow
from takeback.gate.feed.state import State
from takeback.gate.index.multi_index import Index
from takeback.gate.index_handle import IndexHandle
from takeback.gate.processes.hashing_process import Read
from takeback.gate.processes.pool import Job, shared
from takeback.gate.rate_brake import RateBrake
from takeback.gate.rules.benign_list import BenignIndex
from takeback.gate.rules.decision import Decision, Feed, Knowledge, Probe, blocking_by_kind, decide, of_file, probes
from takeback.gate.rules.policy import Policy
from takeback.gate.rules.policy import load as load_policy
from takeback.gate.upload_views.look_ups import look_ups
from takeback.protocol import (
    ENTRY_ID_PATTERN,
    MAX_FEEDBACK_ENTRIES,
    MAX_FEEDBACK_EVENTS,
    EntryStatus,
    FeedbackEvent,
    Verdict,
)
from takeback.signals import Signal, SignalType

_ENTRY: Final = re.compile(ENTRY_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did: entries that came, went and were paused, feedback that was delivered, where the gate stands."""

    added: int
    removed: int
    delivered: int
    checkpoint: int
    head: int
    paused: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """Where a gate stands. `age` in seconds since the feed was read to its end, None if it never was.

    `feed_key` is the key whose signature is believed; `alarm` says why the feed must not be followed, if so.
    """

    registry: str
    checkpoint: int
    head: int
    entries: dict[SignalType, int]
    feedback_waiting: int
    age: float | None
    feed_key: str | None
    alarm: str | None
    paused: int = 0
    """Entries that the registry paused."""


class Gate:
    """A platform's gate. May be shared by threads; a process that forks opens it after the fork.

    Files are read in processes of their own (`workers`), which all gates of a program share.

    Several processes may open the same folder: what one of them syncs, the others decide by.
    """

    policy: Policy
    """What the gate decides by; read when it was opened."""

    def __init__(
        self, registry: str, home: Path, state: State, client: Client, clock: Callable[[], float] = time.time
    ) -> None:
        """Puts a gate together from its parts; `Gate.open` does it for a folder. Raises `SettingsError`.

        `clock` gives seconds since 1970.
        """
        self._clock = clock
        self.policy = load_policy(home)
        self._registry = registry
        self._state = state
        self._client = client
        self._held = IndexHandle(home, state, self.policy.reach)
        self._well_known = BenignIndex.load(home, self.policy)
        self._flood = RateBrake(self.policy.flood_matches, self.policy.flood_minutes * 60)
        self._indexing = Lock()
        self._feed = Feed(0, None)
        self._looked = -math.inf
        self.brakes = True
        """Whether an entry that floods asks for a review; what looks at old uploads switches that off."""
        self.look_every = 0.0
        """Seconds for which a look at the state is good enough; a process that checks thousands a second sets it."""

    @classmethod
    def open(cls, home: str | Path | None = None, *, clock: Callable[[], float] = time.time) -> Self:
        """The gate in the folder `home`, made by `takeback gate init`; without it, in TAKEBACK_GATE_HOME.

        `clock` gives seconds since 1970; a platform's tests may pass one of their own.
        """
        folder = home or os.environ.get(settings_file.HOME_VARIABLE)
        if not folder:
            raise SettingsError(f"say which folder is the gate's, or set {settings_file.HOME_VARIABLE}")
        home = Path(folder)
        settings = settings_file.load(home)
        state = State(home, settings.registry)
        try:
            return cls(settings.registry, home, state, Client(settings), clock)
        except BaseException:
            state.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of files and connections."""
        self._client.close()
        self._state.close()

    def sync(self, on_page: Callable[[FeedPosition], None] = lambda _: None, wait: int = 0) -> Synced:
        """Follows the feed to its end, then sends the feedback that waits. `on_page` hears of each page applied.

        The last request brings nothing: it tells the registry that all before it is taken over. Where nothing is
        new, the registry may `wait` for it so many seconds. `FeedBroken` is an alarm until a sync goes well.
        """
        added = removed = paused = 0
        with self._state.syncing(), self._alarmed():
            while True:
                position, _ = self._state.standing()
                changes = self._next(position, wait)
                wait = 0
                if not changes.steps:
                    break
                if not position.checkpoint and changes.after.head >= snapshot_import.FROM:
                    added += self._start(changes.after.head, on_page)
                    continue
                self._state.apply(changes)
                added += sum(isinstance(step, Added) for step in changes.steps)
                removed += sum(isinstance(step, Removed) for step in changes.steps)
                paused += sum(_pauses(step) for step in changes.steps)
                on_page(changes.after)
            self._state.reached_end(self._clock())
        delivered = self.send_feedback()
        with self._indexing:
            self._held.follow(position.checkpoint)
            self._held.keep()
        return Synced(added, removed, delivered, position.checkpoint, changes.after.head, paused)

    def trust(self, key: str) -> None:
        """Believes the feed that is signed with this key, in hex, from now on."""
        self._state.trust(key)

    def _start(self, head: int, on_page: Callable[[FeedPosition], None]) -> int:
        """Takes over the registry's snapshot; how many entries it has."""
        key = self._state.feed_key()
        with self._client.snapshot() as reader:

            def reached() -> FeedPosition:
                signed = self._client.signed(reader)
                if signed.key != key:  # the page before was checked by it: the next sync follows the keys
                    raise RegistryUnreachable("the registry's snapshot is signed with another key than its feed")
                check_time(signed, self._clock())
                return FeedPosition(signed.number, max(signed.newest, head), bytes.fromhex(signed.chain))

            self._state.fill(snapshot_import.lots(reader, lambda number: on_page(FeedPosition(number, head))), reached)
        return sum(self._state.counts().values())

    def _next(self, position: FeedPosition, wait: int) -> Changes:
        """The next page's changes, once the page, its signature, its key and its time are checked."""
        answer = self._client.feed(position.checkpoint, wait=wait)
        self._check_key(answer.head.key)
        check_time(answer.head, self._clock())
        changes = follow(position, self._state.known(answer.page), answer.page)
        agree(changes, answer.head)
        return changes

    def _check_key(self, key: str) -> None:
        """The key that signed must be the known one, or follow from it; the first that is seen is taken for good."""
        pinned = self._state.feed_key()
        if pinned is None:
            self._state.trust(key)
        elif pinned != key:
            self._state.trust(follow_key(pinned, key, self._client.feed_keys()))

    @contextmanager
    def _alarmed(self) -> Iterator[None]:
        """Keeps the alarm for everybody who asks for the gate's status."""
        try:
            yield
        except FeedBroken as error:
            self._state.raise_alarm(str(error))
            raise

    def check(self, upload: bytes | str | Path, *, given: str = "", uploader: str | None = None) -> Decision:
        """Decides on an upload: its bytes, or the path of its file; `given` is the media type that it came with.

        `uploader` is the platform's own name for who uploads it, of any form, so that the flood brake counts people; it
        is kept as a keyed hash, in memory alone. Every file gets a decision: what cannot be hashed is decided on by its
        exact hashes and by the policy. Raises `PictureError` for a path that cannot be read.
        """
        with _opened(upload) as file:
            return self.judge(self.read(file, given).result(), uploader)

    def read(self, file: BinaryIO, given: str = "") -> Job:
        """Begins to read an upload in a process of its own; `judge` decides on what its `result` is.

        The file stays open until that is there.
        """
        return shared(self.policy.budget).submit(file, given)

    def judge(self, read: Read, uploader: str | None = None) -> Decision:
        """Decides on an upload that was read; `uploader` as for `check`."""
        views = look_ups(read.plane) if read.plane else ()
        asked = probes(read.signals, read.dihedral, views, policy=self.policy)
        decision = of_file(self._decide(read.signals, asked, uploader), read.kind, read.why, self.policy)
        return replace(decision, notes=(*decision.notes, *read.notes))

    def check_signals(
        self, signals: Sequence[Signal], dihedral: Mapping[str, str] | None = None, *, uploader: str | None = None
    ) -> Decision:
        """Decides on an upload that is hashed already; `dihedral` holds the PDQ of its turned and mirrored forms."""
        return self._decide(signals, probes(signals, dihedral, policy=self.policy), uploader)

    def _decide(self, signals: Sequence[Signal], asked: Sequence[Probe], uploader: str | None) -> Decision:
        """Looks up what is worth it, and decides; if a match floods, once more."""
        feed, index = self._refresh()
        sought = [probe.signal for probe in asked]
        hits = index.query(sought)
        knows = Knowledge(self.policy)
        if hits:
            standings = self._state.standings({hit.entry for hit in hits})
            knows = replace(knows, standings=standings, well_known=self._well_known.holds(sought))
        decision = decide(secrets.token_hex(16), signals, asked, hits, feed, knows)
        if self.brakes and not knows.well_known:
            blocking = blocking_by_kind(asked, hits, self.policy)
            alike = frozenset(entry for entry in knows.standings or {} if entry in blocking)
            if self._flood.count(alike, uploader):
                floods = alike - self._state.confirmed(alike)
                decision = decide(decision.id, signals, asked, hits, feed, replace(knows, floods=floods))
        return decision

    def warm_up(self) -> None:
        """Reads all that is known into the index and starts the processes, so that the first check need not."""
        shared(self.policy.budget).warm_up()
        self._refresh()

    def feedback(
        self,
        of: Decision | Iterable[str],
        verdict: Verdict | str,
        *,
        upload: str | None = None,
        confirmed: bool = False,
    ) -> int:
        """Keeps what became of an upload until `sync` or `send_feedback` has it acknowledged; returns the events kept.

        `of` is the decision, or the entries that the upload matched and as `upload` its decision's id. The same
        decision and verdict count once. `confirmed` says that a person of the platform looked at the upload: entries
        that one confirmed as `blocked` are not braked any more, until one is told `not_blocked`.
        """
        if isinstance(of, Decision):
            upload, entries = of.id, [match.entry for match in of.matches]
        else:
            upload, entries = upload or secrets.token_hex(16), list(dict.fromkeys(of))
        groups = [entries[at : at + MAX_FEEDBACK_ENTRIES] for at in range(0, len(entries), MAX_FEEDBACK_ENTRIES)]
        events = [_event(f"{upload} {verdict} {place}", verdict, group) for place, group in enumerate(groups)]
        self._state.queue(events)
        if confirmed or verdict == Verdict.NOT_BLOCKED:
            self._state.confirm(entries, confirmed=verdict == Verdict.BLOCKED)
        return len(events)

    def send_feedback(self) -> int:
        """Sends the feedback that waits; returns how many events the registry acknowledged."""
        sent = 0
        while events := batch(self._state.waiting(MAX_FEEDBACK_EVENTS)):
            self._client.feedback(events)
            self._state.acknowledge(events)
            sent += len(events)
        return sent

    def status(self) -> Status:
        """Where the gate stands. Waits for nobody who uses it."""
        position, read_at = self._state.glance()
        return Status(
            self._registry,
            position.checkpoint,
            position.head,
            dict(self._state.counts()),
            self._state.waiting_count(),
            self._age(read_at),
            self._state.feed_key(),
            self._state.alarm(),
            self._state.paused_count(),
        )

    def freshness(self) -> Feed:
        """How fresh the gate's knowledge is."""
        position, read_at = self._state.standing()
        return self._fresh(position.checkpoint, read_at)

    def age(self) -> float | None:
        """Seconds since the feed was read to its end, None if it never was. Waits for nobody who uses the gate."""
        _, read_at = self._state.glance()
        return self._age(read_at)

    def warning(self) -> str | None:
        """What a person must know of how fresh the gate's knowledge is, if anything."""
        return self.freshness().warning()

    def _fresh(self, checkpoint: int, read_at: float | None) -> Feed:
        return Feed(checkpoint, self._age(read_at), self.policy.stale_hours * 3600)

    def _refresh(self) -> tuple[Feed, Index]:
        """Brings the index to the state's checkpoint, whichever process moved that; says how fresh it is."""
        with self._indexing:
            now = time.monotonic()
            if now - self._looked >= self.look_every:
                position, read_at = self._state.standing()
                if position.checkpoint < self._held.checkpoint:
                    raise StateDamaged("the gate's state was set back while it was open: open it again")
                self._held.follow(position.checkpoint)
                self._feed, self._looked = self._fresh(self._held.checkpoint, read_at), now
            return self._feed, self._held.index

    def _age(self, read_at: float | None) -> float | None:
        """Seconds since `read_at`; a clock that was set back counts as no time."""
        return None if read_at is None else max(0.0, self._clock() - read_at)


def _pauses(step: Step) -> bool:
    """Whether the registry pauses an entry by it."""
    return isinstance(step, Changed) and step.standing is EntryStatus.PAUSED


@contextmanager
def _opened(upload: bytes | str | Path) -> Iterator[BinaryIO]:
    """The upload as a file that can seek."""
    if isinstance(upload, bytes):
        yield BytesIO(upload)
        return
    path = Path(upload)
    try:
        if not path.is_file():
            raise PictureError("is not a file" if path.exists() else "is not there")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror}") from error


def _event(name: str, verdict: Verdict | str, entries: list[str]) -> FeedbackEvent:
    """The event whose id follows from `name`, so that the same is never counted twice."""
    if not all(_ENTRY.fullmatch(entry) for entry in entries):
        raise SettingsError("an entry is 32 lowercase hex digits, as `takeback gate check` prints it")
    try:
        return FeedbackEvent(sha256(name.encode()).hexdigest()[:32], Verdict(verdict), entries)
    except ValueError as error:
        raise SettingsError(f"a verdict is one of {', '.join(Verdict)}") from error
