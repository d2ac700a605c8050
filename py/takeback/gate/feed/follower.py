"""Brings a gate to the end of the feed: page after page, or by the snapshot, each checked before it counts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from takeback.bulk import Reader
from takeback.chain import check_time, follow_key
from takeback.errors import FeedBroken, RegistryUnreachable
from takeback.gate.feed import snapshot_import
from takeback.gate.feed.client import Client
from takeback.gate.feed.follow import Added, Changed, Changes, FeedPosition, Removed, Step, check_signed_head, follow
from takeback.gate.feed.state import State
from takeback.protocol import EntryStatus

type OnPage = Callable[[FeedPosition], None]


class ReadToEnd(NamedTuple):
    """What was read: entries added, removed and paused, and where the feed stood at its end."""

    added: int
    removed: int
    paused: int
    checkpoint: int
    head: int


class Filled(NamedTuple):
    """How many entries of types that were not known before were read, and the checkpoint then."""

    number: int
    checkpoint: int


class FeedFollower:
    """Follows a registry's feed into a gate's state. Several processes may do so at once: one waits for the other.

    Methods raise `FeedBroken` if the feed breaks a rule, which stays an alarm in the state until it is read to its end
    again, and `RegistryUnreachable`, `KeyRefused`, `SyncElsewhere` or another `GateError`. The checkpoint stays as it
    is then. `clock` returns seconds since 1970.
    """

    def __init__(self, state: State, client: Client, clock: Callable[[], float]) -> None:
        self._state = state
        self._client = client
        self._clock = clock

    def read_to_end(self, on_page: OnPage, wait: int, small_sites: int | None) -> ReadToEnd:
        """Applies all pages; `on_page`, `wait` and `small_sites` as for `Gate.sync`."""
        added = removed = paused = 0
        with self._state.sync_lock(), self._alarmed():
            while True:
                position, _ = self._state.position()
                changes = self._next(position, wait, small_sites)
                wait = 0
                if not changes.steps:
                    break
                # The page is dropped: it served to verify the registry's key, by which the snapshot is checked.
                if not position.checkpoint and changes.after.head >= snapshot_import.MIN_SNAPSHOT_LINES:
                    added += self._start(changes.after.head, on_page)
                    continue
                self._state.apply(changes)
                added += sum(isinstance(step, Added) for step in changes.steps)
                removed += sum(isinstance(step, Removed) for step in changes.steps)
                paused += sum(_pauses(step) for step in changes.steps)
                on_page(changes.after)
            self._state.reached_end(self._clock())
        return ReadToEnd(added, removed, paused, position.checkpoint, changes.after.head)

    def read_missed_types(self, on_page: OnPage) -> Filled:
        """Reads from the snapshot the entries that an older version of the gate got as tombstones.

        The registry gives types of signals only to gates that know them.
        """
        if not self._state.unread_types():
            return Filled(0, 0)
        with self._state.sync_lock(), self._alarmed(), self._client.snapshot() as reader:
            position, _ = self._state.position()
            batches = snapshot_import.snapshot_batches(
                reader, lambda number: on_page(FeedPosition(number, position.head))
            )
            filled = self._state.fill_tombstones(
                self._state.unread_types(), batches, lambda: self._check_reaches(reader, position)
            )
        return Filled(filled, position.checkpoint)

    def _start(self, head: int, on_page: OnPage) -> int:
        """Imports the registry's snapshot, and returns how many entries it has."""
        with self._client.snapshot() as reader:
            batches = snapshot_import.snapshot_batches(reader, lambda number: on_page(FeedPosition(number, head)))
            self._state.import_snapshot(batches, lambda: self._snapshot_position(reader, head))
        return sum(self._state.counts().values())

    def _snapshot_position(self, reader: Reader, head: int) -> FeedPosition:
        """Checks the signature, key and time of a snapshot that was read, and returns its position."""
        signed = self._client.signed(reader)
        if signed.key != self._state.feed_key():  # that of the page before; the next sync follows the new one
            raise RegistryUnreachable("the registry's snapshot is signed with another key than its feed")
        check_time(signed, self._clock())
        # Rule 2: the head never falls, also if the snapshot was made before the page that announced it.
        return FeedPosition(signed.number, max(signed.newest, head), bytes.fromhex(signed.chain))

    def _check_reaches(self, reader: Reader, position: FeedPosition) -> None:
        """Checks a snapshot that was read, and that it is not older than the lines that were applied."""
        if self._snapshot_position(reader, position.head).checkpoint < position.checkpoint:
            raise RegistryUnreachable("the registry's snapshot is older than its feed")

    def _next(self, position: FeedPosition, wait: int, small_sites: int | None) -> Changes:
        """Requests the next page, checks its signature, key, time and rules, and returns its changes."""
        # In the order of PROTOCOL.md; the client has checked the signature by then.
        answer = self._client.feed(position.checkpoint, wait=wait, small_sites=small_sites)
        self._check_key(answer.head.key)
        check_time(answer.head, self._clock())
        changes = follow(position, self._state.known(answer.page), answer.page)
        check_signed_head(changes, answer.head)
        return changes

    def _check_key(self, key: str) -> None:
        """Checks that the signing key is the pinned one or succeeds it; pins the first key that is seen."""
        pinned = self._state.feed_key()
        if pinned is None:
            self._state.trust(key)
        elif pinned != key:
            self._state.trust(follow_key(pinned, key, self._client.feed_keys()))

    @contextmanager
    def _alarmed(self) -> Iterator[None]:
        """Stores `FeedBroken` as the alarm that `status` reports."""
        try:
            yield
        except FeedBroken as error:
            self._state.raise_alarm(str(error))
            raise


def _pauses(step: Step) -> bool:
    """Returns whether a step pauses an entry."""
    return isinstance(step, Changed) and step.status is EntryStatus.PAUSED
