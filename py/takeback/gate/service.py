"""The gate: follows the feed and decides on uploads. It does the I/O around the pure `follow` and `decision`."""

import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from types import MappingProxyType, TracebackType
from typing import IO, BinaryIO, Final, NamedTuple, Self

from takeback.errors import SettingsError, StateDamaged
from takeback.gate import settings as settings_file
from takeback.gate.feed.client import Client, first_batch
from takeback.gate.feed.follow import FeedPosition
from takeback.gate.feed.follower import FeedFollower
from takeback.gate.feed.state import State
from takeback.gate.index.multi_index import Index
from takeback.gate.index_handle import IndexHandle
from takeback.gate.processes.hashing_process import HashedFile
from takeback.gate.processes.pool import Job, shared_pool
from takeback.gate.rate_brake import RateBrake
from takeback.gate.rules.benign_list import BenignIndex
from takeback.gate.rules.common_patches import common_patches
from takeback.gate.rules.decision import (
    Decision,
    DecisionFacts,
    Feed,
    Probe,
    blocking_by_kind,
    decide,
    for_file,
    probes,
)
from takeback.gate.rules.policy import Action, Policy
from takeback.gate.rules.policy import load as load_policy
from takeback.gate.rules.video_hits import counted, pictures
from takeback.gate.rules.votes import (
    MIN_REVIEW_VOTES,
    PatchProbe,
    Votes,
    file_probes,
    look_up_votes,
    patch_probes,
)
from takeback.gate.upload_views.frames import frame_look_ups
from takeback.gate.upload_views.look_ups import look_ups
from takeback.protocol import (
    ENTRY_ID_PATTERN,
    MAX_FEEDBACK_ENTRIES,
    MAX_FEEDBACK_EVENTS,
    FeedbackEvent,
    Verdict,
)
from takeback.signals import Signal, SignalType
from takeback.upload_file import opened

_ENTRY: Final = re.compile(ENTRY_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Synced:
    """The result of a sync: entries added, removed and paused, feedback events delivered, and the feed position."""

    added: int
    removed: int
    delivered: int
    checkpoint: int
    head: int
    paused: int = 0


class Question(NamedTuple):
    """An upload that somebody else hashed: its signals, its `dihedral` PDQ hashes by name, and its patches."""

    signals: Sequence[Signal]
    dihedral: Mapping[str, str] = MappingProxyType({})
    patches: Sequence[PatchProbe] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a gate. `age` is in seconds since the feed was last read to its end, None if it never was.

    `feed_key` is the trusted signing key in hex. `alarm` says why the feed is not followed, None if all is well.
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
    """Number of entries that the registry paused."""


class Gate:
    """A platform's gate. Thread-safe; a process that forks must open it after the fork.

    Files are read in separate processes (`processes`), which all gates of a program share. Several processes may open
    the same folder: all of them decide by what any of them syncs.

    Methods raise `GateError` if the state cannot be used, and after `close`.
    """

    policy: Policy
    """The policy, read when the gate was opened."""

    def __init__(
        self, registry: str, home: Path, state: State, client: Client, clock: Callable[[], float] = time.time
    ) -> None:
        """Makes a gate from its parts; use `Gate.open` for a folder. Raises `SettingsError` if the policy is wrong.

        `clock` returns seconds since 1970.
        """
        self._clock = clock
        self.policy = load_policy(home)
        self._registry = registry
        self._state = state
        self._client = client
        self._follower = FeedFollower(state, client, clock)
        self._index_handle = IndexHandle(home, state, self.policy.reach)
        self._benign = BenignIndex.load(home, self.policy)
        self._rate_brake = RateBrake(self.policy.flood_matches, self.policy.flood_minutes * 60)
        self._index_lock = Lock()
        self._freshness = Feed(0, None)
        self._refreshed_at = -math.inf
        self.uses_rate_brake = True
        """Whether the rate brake applies; scans of stored uploads switch it off."""
        self.refresh_seconds = 0.0
        """Time between looks at the state; a process that checks thousands of uploads a second raises it."""

    @classmethod
    def open(cls, home: str | Path | None = None, *, clock: Callable[[], float] = time.time) -> Self:
        """Opens the gate in the folder `home` (default: TAKEBACK_GATE_HOME), which `takeback gate init` created.

        `clock` returns seconds since 1970; a platform's tests may pass their own. Raises `SettingsError` if the folder,
        its settings or its policy cannot be used, and `GateError` if its state cannot be read.
        """
        folder = home or os.environ.get(settings_file.HOME_VARIABLE)
        if not folder:
            raise SettingsError(f"give the gate's folder, or set {settings_file.HOME_VARIABLE}")
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
        """Closes files and connections."""
        self._client.close()
        self._state.close()

    def sync(
        self,
        on_page: Callable[[FeedPosition], None] = lambda _: None,
        wait: int = 0,
        small_sites: int | None = None,
    ) -> Synced:
        """Follows the feed to its end, then sends queued feedback. `on_page` is called after each page applied.

        If there is no news, the registry may hold the request for `wait` seconds (long poll). The last request returns
        no entries; it tells the registry that the gate has applied all before. A look-up service tells the registry how
        many `small_sites` it serves.

        Raises `FeedBroken` if the feed breaks a rule, which stays an alarm in `status` until a sync succeeds, and
        `RegistryUnreachable`, `KeyRefused`, `SyncElsewhere` or another `GateError`. The checkpoint stays as it is.
        """
        read = self._follower.read_to_end(on_page, wait, small_sites)
        # Outside the lock of reading: two processes may send the same events, which the registry counts once.
        delivered = self.send_feedback()
        self._update_index(read.checkpoint)
        # Last, because withdrawals and feedback must not wait for it.
        filled = self._follower.read_missed_types(on_page)
        if filled.number:
            self._update_index(filled.checkpoint)
        return Synced(read.added + filled.number, read.removed, delivered, read.checkpoint, read.head, read.paused)

    def _update_index(self, checkpoint: int) -> None:
        with self._index_lock:
            self._index_handle.catch_up(checkpoint)
            self._index_handle.write_if_due()

    def trust(self, key: str) -> None:
        """Trusts the feed key `key` (Ed25519 public key, 64 hex digits) from now on, instead of the one before."""
        self._state.trust(key)

    def check(
        self, upload: bytes | str | Path | IO[bytes], *, given: str = "", uploader: str | None = None
    ) -> Decision:
        """Decides on an upload: bytes, a path, or a binary file; `given` is the media type that it came with, if any.

        A seekable file is read from its beginning and put back to its position; another one is read to its end.
        `uploader` is any name that the platform has for the uploading person, so that the rate brake counts people; it
        is kept only in memory, as a keyed hash. Every file gets a decision: one that cannot be hashed is decided by its
        exact hashes and the policy. Raises `PictureError` if the path or the file cannot be read, and `GateError`.
        """
        with opened(upload) as file:
            return self.judge(self.read(file, given).result(), uploader)

    def read(self, file: BinaryIO, given: str = "") -> Job:
        """Starts to hash an upload in a separate process; pass the `result` of the job to `judge`.

        `file` must be seekable, and stay open until the job is done.
        """
        return shared_pool(self.policy.budget).submit(file, given)

    def judge(self, read: HashedFile, uploader: str | None = None) -> Decision:
        """Decides on an upload that `read` hashed; `uploader` as for `check`."""
        views = look_ups(read.thumbnail) if read.thumbnail else []
        views += frame_look_ups(read.frames, self.policy.quality_floor)
        asked = probes(read.signals, read.dihedral, views, policy=self.policy)
        found = self._decide(read.signals, asked, file_probes(read.patches, read.thumbnail, read.frames), uploader)
        decision = for_file(found, read.kind, read.why, self.policy)
        return replace(decision, notes=(*decision.notes, *read.notes))

    def check_signals(
        self, signals: Sequence[Signal], dihedral: Mapping[str, str] | None = None, *, uploader: str | None = None
    ) -> Decision:
        """Decides on an upload that the platform hashed; `uploader` as for `check`.

        `dihedral` holds the PDQ hashes of its turned and mirrored forms, by their names. Raises `GateError`.
        """
        asked = probes(signals, dihedral, policy=self.policy)
        return self._decide(signals, asked, patch_probes(signals), uploader)

    def check_question(self, question: Question, brake: RateBrake, uploader: str | None = None) -> Decision:
        """Decides on an upload that one of several sites hashed, which share this gate but not their rate brakes.

        `brake` is that site's, so that no site can brake a picture for the others. Raises `GateError`.
        """
        asked = probes(question.signals, question.dihedral, policy=self.policy)
        patches = [*patch_probes(question.signals), *question.patches]
        return self._decide(question.signals, asked, patches, uploader, brake)

    def _decide(
        self,
        signals: Sequence[Signal],
        asked: Sequence[Probe],
        patches: Sequence[PatchProbe],
        uploader: str | None,
        brake: RateBrake | None = None,
    ) -> Decision:
        """Looks up the probes and the patches and decides, and decides again if the rate brake applies to a match."""
        count = (brake or self._rate_brake).count
        feed, index = self._refresh()
        sought = [probe.signal for probe in asked]
        hits = index.query(sought)
        votes = self._votes(index, patches)
        facts = DecisionFacts(self.policy, votes=votes, listed_pictures=index.pictures())
        if hits or votes:
            # The state is newer than the index: a hit that was withdrawn meanwhile has no status, and stops nothing.
            entries = {hit.entry for hit in hits} | {one.entry for one in votes}
            statuses, variants = self._state.entry_statuses(entries), self._state.entry_variants(entries)
            benign = self._benign.among(sought)
            # A benign picture that a video shows excuses that moment, and not the video.
            hits = [hit for hit in hits if asked[hit.asked].second is None or hit.asked not in benign]
            moments = {asked[place].second for place in benign}
            votes = [one for one in votes if one.second is None or one.second not in moments]
            is_benign = any(asked[place].second is None for place in benign)
            facts = replace(facts, statuses=statuses, variants=variants, votes=votes, is_benign=is_benign)
        found, hits = hits, counted(asked, hits)
        decision = decide(secrets.token_hex(16), signals, asked, hits, feed, facts)
        # Benign uploads do not count, or one popular picture near an entry would release that entry's block.
        if self.uses_rate_brake and not facts.is_benign:
            blocking = blocking_by_kind(asked, hits, facts)
            alike = frozenset(entry for entry in facts.statuses or {} if entry in blocking)
            groups = pictures(asked, found, votes, alike)
            flooded = frozenset[str]().union(*(group for group in groups if count(group, uploader)))
            if flooded:
                braked = flooded - self._state.confirmed(flooded)
                decision = decide(decision.id, signals, asked, hits, feed, replace(facts, braked=braked))
        return decision

    def _votes(self, index: Index, patches: Sequence[PatchProbe]) -> list[Votes]:
        """Looks up the patches of an upload, and returns the votes for each entry."""
        if self.policy.patches is Action.ALLOW:
            return []
        hashes = [patch.hash for patch in patches]
        return look_up_votes(
            patches,
            index.pictures(),
            self.policy.patches_distance,
            lambda within: index.query_patches(hashes, MIN_REVIEW_VOTES, common_patches(), within),
        )

    def warm_up(self) -> None:
        """Loads the index and starts the hashing processes, so that the first check does not have to wait for them."""
        shared_pool(self.policy.budget).warm_up()
        self._refresh()

    def feedback(
        self,
        of: Decision | Iterable[str],
        verdict: Verdict | str,
        *,
        upload: str | None = None,
        confirmed: bool = False,
    ) -> int:
        """Queues feedback on disk for the next `sync` or `send_feedback`, and returns the number of events queued.

        `of` is the decision, or the ids of the entries that the upload matched; `upload` is then the decision's id.
        Feedback of the same decision and verdict counts once. `confirmed` says that a moderator has looked at the
        upload: the rate brake no longer applies to entries confirmed as `blocked`, until one is `not_blocked`. Raises
        `SettingsError` for an unknown verdict or a malformed entry id, and `GateError` if the disk fails.
        """
        if isinstance(of, Decision):
            upload, entries = of.id, [match.entry for match in of.matches]
        else:
            upload, entries = upload or secrets.token_hex(16), list(dict.fromkeys(of))
        queued = self.queue_feedback(upload, verdict, entries)
        if confirmed or verdict == Verdict.NOT_BLOCKED:
            self._state.confirm(entries, confirmed=verdict == Verdict.BLOCKED)
        return queued

    def queue_feedback(self, upload: str, verdict: Verdict | str, entries: Sequence[str]) -> int:
        """Queues feedback as `feedback` does, and leaves what this gate's moderators confirmed as it is.

        Feedback of the same `upload` and verdict counts once. Raises as `feedback` does.
        """
        groups = [entries[at : at + MAX_FEEDBACK_ENTRIES] for at in range(0, len(entries), MAX_FEEDBACK_ENTRIES)]
        events = [_event(f"{upload} {verdict} {place}", verdict, list(group)) for place, group in enumerate(groups)]
        self._state.queue_feedback(events)
        return len(events)

    def listed_beginning(self, kind: SignalType, beginning: str) -> list[str]:
        """Returns the listed values of a type that begin with these hex digits, in order. Raises `GateError`."""
        return self._state.values_beginning(kind, beginning)

    def send_feedback(self) -> int:
        """Sends queued feedback, and returns how many events the registry acknowledged.

        Raises `GateError` or `SettingsError` if the registry does not take it; the rest stays queued.
        """
        sent = 0
        while events := first_batch(self._state.queued_feedback(MAX_FEEDBACK_EVENTS)):
            self._client.feedback(events)
            # Only after the receipt: after a crash in between the events are sent again, and counted once.
            self._state.acknowledge(events)
            sent += len(events)
        return sent

    def status(self) -> Status:
        """Returns the gate's status, without waiting for a sync or a check in progress."""
        position, read_at = self._state.peek_position()
        return Status(
            self._registry,
            position.checkpoint,
            position.head,
            dict(self._state.counts()),
            self._state.queued_feedback_count(),
            self._age(read_at),
            self._state.feed_key(),
            self._state.alarm(),
            self._state.paused_count(),
        )

    def freshness(self) -> Feed:
        """Returns the checkpoint and the age of the feed."""
        position, read_at = self._state.position()
        return self._fresh(position.checkpoint, read_at)

    def age(self) -> float | None:
        """Returns the seconds since the feed was read to its end, None if it never was. Does not wait for a sync."""
        _, read_at = self._state.peek_position()
        return self._age(read_at)

    def warning(self) -> str | None:
        """Returns a warning for people if the feed is stale or was never read, else None."""
        return self.freshness().warning()

    def _fresh(self, checkpoint: int, read_at: float | None) -> Feed:
        return Feed(checkpoint, self._age(read_at), self.policy.stale_hours * 3600)

    def _refresh(self) -> tuple[Feed, Index]:
        """Brings the index to the state's checkpoint, which any process may have moved; returns its freshness too."""
        with self._index_lock:
            now = time.monotonic()
            if now - self._refreshed_at >= self.refresh_seconds:
                position, read_at = self._state.position()
                if position.checkpoint < self._index_handle.checkpoint:
                    raise StateDamaged("the gate's state was replaced by an older one while it was open: open it again")
                self._index_handle.catch_up(position.checkpoint)
                self._freshness, self._refreshed_at = self._fresh(self._index_handle.checkpoint, read_at), now
            return self._freshness, self._index_handle.index

    def _age(self, read_at: float | None) -> float | None:
        """Returns the seconds since `read_at`, at least 0 in case the clock was set back."""
        return None if read_at is None else max(0.0, self._clock() - read_at)


def _event(name: str, verdict: Verdict | str, entries: list[str]) -> FeedbackEvent:
    """Makes an event whose id is derived from `name`, so that the registry counts a repetition once."""
    if not all(_ENTRY.fullmatch(entry) for entry in entries):
        raise SettingsError("an entry id must be 32 lowercase hex digits, as `takeback gate check` prints it")
    try:
        return FeedbackEvent(sha256(name.encode()).hexdigest()[:32], Verdict(verdict), entries)
    except ValueError as error:
        raise SettingsError(f"the verdict must be one of {', '.join(Verdict)}") from error
