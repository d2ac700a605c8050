"""Decides on one object, and does what follows: tags it, or moves it to the quarantine."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from tempfile import SpooledTemporaryFile
from threading import Event
from typing import IO, Final, Literal, cast

from takeback.errors import GateError, PictureError
from takeback.gate.serve.log import write_log
from takeback.integrations.bucket.events import MAX_KEY_BYTES
from takeback.integrations.bucket.store import CHUNK_BYTES, ObjectStore, StoredObject
from takeback.integrations.checker import Checked, UploadChecker
from takeback.protocol import Action, Verdict

TAG: Final = "takeback"
UNCHECKED: Final = "unchecked"
MEMORY_BYTES: Final = 8 << 20
"""Size up to which an object is kept in memory; a larger one is in a temporary file without a name."""
_PLAIN: Final = frozenset({"", "identity", "aws-chunked"})

type Consequence = Literal["quarantine", "tag", "nothing"]


class NotDecided(Exception):
    """Nobody could decide on an object now; the text says why, for the log."""


class ObjectOutcome(StrEnum):
    """What became of an object."""

    ALLOWED = "allowed"
    MOVED = "moved to the quarantine"
    TAGGED = "tagged"
    KNOWN = "tagged before"
    NOTED = "left as it is"
    TOO_LARGE = "too large to be checked"
    GONE = "not there any more"


@dataclass(frozen=True, slots=True)
class InspectorOptions:
    """Which buckets are watched, where the quarantine is, and what follows from a decision."""

    buckets: frozenset[str]
    quarantine: str = ""
    quarantine_prefix: str = ""
    block: Consequence = "quarantine"
    review: Consequence = "tag"
    tag_allowed: bool = False
    report: bool = False
    log_keys: bool = False

    def watches(self, bucket: str, key: str) -> bool:
        """Returns whether an object is to be checked: it is in a watched bucket, and not in the quarantine."""
        is_held = bucket == self.quarantine and key.startswith(self.quarantine_prefix)
        return bucket in self.buckets and not is_held


class Inspector:
    """Decides on objects. Thread-safe. `is_away` is set while whoever is asked cannot decide on anything."""

    def __init__(self, options: InspectorOptions, checker: UploadChecker, store: ObjectStore) -> None:
        self.options = options
        self.is_away = Event()
        self._checker = checker
        self._store = store

    def inspect(self, bucket: str, key: str, version: str = "", event: str = "") -> list[ObjectOutcome]:
        """Decides on an object as it is now, and on the version that an event names, if that one still exists.

        Raises `NotDecided`, `ObjectChanged` if it is written meanwhile, and `GateError` for faults of the store.
        """
        if not self.options.watches(bucket, key):
            return []
        self._refuse_while_away()
        named = self._store.look_up(bucket, key, version) if version else None
        found = [one for one in (self._store.look_up(bucket, key), named) if one]
        return [self._inspect(one, event) for one in dict.fromkeys(found)] or [ObjectOutcome.GONE]

    def tag_of(self, bucket: str, key: str) -> str:
        """Returns our tag of an object, empty if it has none."""
        found = self._store.look_up(bucket, key)
        return self._store.tags(found).get(TAG, "") if found else ""

    def _refuse_while_away(self) -> None:
        """Raises `NotDecided` while nobody can decide, so that no object is fetched in vain."""
        if self.is_away.is_set():
            trouble = self._checker.trouble()
            if trouble:
                raise NotDecided(trouble)
            self.is_away.clear()

    def _inspect(self, found: StoredObject, event: str) -> ObjectOutcome:
        if found.size > self._store.options.max_bytes:
            self._mark(found, UNCHECKED)
            self._log(found, event, f"{UNCHECKED}, {ObjectOutcome.TOO_LARGE}")
            return ObjectOutcome.TOO_LARGE
        with SpooledTemporaryFile[bytes](MEMORY_BYTES) as spooled:
            file = cast("IO[bytes]", spooled)
            digest = self._store.fetch(found, file)
            checked = self._check(found, file)
        if not checked.is_checked:
            self._mark(found, UNCHECKED)
            if self._checker.trouble():
                self.is_away.set()
            raise NotDecided(checked.why)
        outcome = self._act(found, checked.action, digest)
        if checked.action is not Action.ALLOW:
            self._log(found, event, f"{checked.action}, decision {checked.id or 'none'}, {outcome}")
            if outcome is not ObjectOutcome.KNOWN:
                self._report(checked)
        return outcome

    def _check(self, found: StoredObject, file: IO[bytes]) -> Checked:
        """Asks about an object's content, unpacked as browsers do that."""
        if not found.size:
            return Checked(Action.ALLOW)
        try:
            with _unpacked(file, found.encoding, self._store.options.max_bytes) as content:
                return self._checker.check(content, given=found.kind)
        except _Unreadable:
            return Checked(Action.REVIEW)  # a browser may show what cannot be unpacked here
        except (GateError, PictureError) as error:
            return Checked(Action.REVIEW, is_checked=False, why=str(error))

    def _act(self, found: StoredObject, action: Action, digest: str) -> ObjectOutcome:
        consequence = {Action.BLOCK: self.options.block, Action.REVIEW: self.options.review}.get(action)
        if consequence == "quarantine":
            self._move(found, action, digest)
            return ObjectOutcome.MOVED
        if consequence == "tag":
            return ObjectOutcome.TAGGED if self._tag(found, action.value) else ObjectOutcome.KNOWN
        self._tag(found, action.value if action is Action.ALLOW and self.options.tag_allowed else "")
        return ObjectOutcome.NOTED if consequence else ObjectOutcome.ALLOWED

    def _tag(self, found: StoredObject, value: str) -> bool:
        """Sets our tag beside the others, or takes it away, and returns whether it was another one. Others stay."""
        before = self._store.tags(found)
        after = {key: kept for key, kept in before.items() if key != TAG}
        if value:
            after[TAG] = value
        if after != before:
            self._store.set_tags(found, after)
        return after != before

    def _mark(self, found: StoredObject, value: str) -> None:
        """Sets our tag where that is possible: a store without tags, or one that is away, changes nothing else."""
        with suppress(GateError):
            self._tag(found, value)

    def _move(self, found: StoredObject, action: Action, digest: str) -> None:
        """Copies an object, compares the copy with what was checked, and only then removes the object."""
        options = self.options
        key = quarantine_key(options.quarantine_prefix, found)
        copy = self._store.copy(found, options.quarantine, key)
        if self._store.fetch(copy) != digest:
            raise GateError("the copy in the quarantine is not what was checked: the original stays")
        self._mark(copy, action.value)
        self._store.remove(found)

    def _report(self, checked: Checked) -> None:
        """Tells the registry of a match, if that is asked for."""
        if not self.options.report or not checked.id:
            return
        verdict = Verdict.BLOCKED if checked.action is Action.BLOCK else Verdict.PENDING_REVIEW
        try:
            self._checker.feedback(checked, verdict)
        except GateError as error:
            write_log(f"feedback could not be given: {error}")

    def _log(self, found: StoredObject, event: str, text: str) -> None:
        where = f" of {found.bucket} {found.key!r}" if self.options.log_keys else ""
        write_log(f"event {event}{where}: {text}")


def quarantine_key(prefix: str, found: StoredObject) -> str:
    """Returns the key in the quarantine: the same for the same content of the same object, and for no other."""
    mark = blake2b(f"{found.version}\0{found.etag}".encode(), digest_size=8).hexdigest()
    key = f"{prefix}{found.bucket}/{found.key}~{mark}"
    if len(key.encode()) > MAX_KEY_BYTES:
        key = f"{prefix}{found.bucket}/{blake2b(found.key.encode(), digest_size=16).hexdigest()}~{mark}"
    return key


class _Unreadable(Exception):
    """Content that is packed in a way that cannot be unpacked here, or that is too large when unpacked."""


@contextmanager
def _unpacked(file: IO[bytes], encoding: str, limit: int) -> Iterator[IO[bytes]]:
    """Yields content without its `Content-Encoding`. Raises `_Unreadable`."""
    file.seek(0)
    names = [name.strip().lower() for name in encoding.split(",")]
    names = [name for name in names if name not in _PLAIN]
    if not names:
        yield file
        return
    if names not in (["gzip"], ["x-gzip"], ["deflate"]):
        raise _Unreadable
    with SpooledTemporaryFile[bytes](MEMORY_BYTES) as spooled:
        plain, size = cast("IO[bytes]", spooled), 0
        for part in _inflated(file):
            size += len(part)
            if size > limit:
                raise _Unreadable
            plain.write(part)
        plain.seek(0)
        yield plain


def _inflated(file: IO[bytes]) -> Iterator[bytes]:
    """Yields what gzip or zlib packed. Raises `_Unreadable`."""
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        while part := file.read(CHUNK_BYTES):
            while part and not unpack.eof:
                yield unpack.decompress(part, CHUNK_BYTES)
                part = unpack.unconsumed_tail
        yield unpack.flush()
    except zlib.error as error:
        raise _Unreadable from error
