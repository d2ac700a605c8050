"""`RemoteGate`: a gate whose list is elsewhere. It hashes uploads here, and asks a look-up service about them.

It needs httpx, msgspec and Pillow, and keeps no list and no state.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import httpx
import msgspec
from msgspec import Struct

from takeback.connections import check_address, unreadable_certificates, why
from takeback.errors import InvalidMessage, KeyRefused, SettingsError
from takeback.lookup import messages
from takeback.lookup.messages import (
    KEY_PATTERN,
    PREFIX_DIGITS,
    ExactAnswer,
    PatchMessage,
    RemoteAnswer,
    RemoteOutcome,
    RemoteQuestion,
)
from takeback.lookup.reading import HashedUpload, read_upload
from takeback.lookup.refusals import LookUpAway, TooManyQuestions
from takeback.protocol import Action, Problem, SignalMessage, Verdict
from takeback.signals import Signal, SignalType
from takeback.upload_file import opened

ADDRESS_VARIABLE: Final = "TAKEBACK_LOOKUP"
KEY_VARIABLE: Final = "TAKEBACK_LOOKUP_KEY"
TIMEOUT_SECONDS: Final = 20.0
"""Longer than the service holds back an answer."""
_MAX_ANSWER_BYTES: Final = 8 << 20
_ASKED: Final = frozenset({SignalType.PDQ, SignalType.VPDQ, SignalType.PHASH, SignalType.PATCHES})


class WhenAway(StrEnum):
    """What a check does if the service is away, or takes no more questions for now.

    `RAISE` raises `LookUpAway` or `TooManyQuestions`. `ALLOW` lets the upload pass, to be checked again later: its
    decision says `is_checked=False`. `HOLD` asks for a review, also to be checked again later. Questions that are
    refused because many are nearly alike are held even with `ALLOW`, or whoever causes that could get a picture past.
    """

    RAISE = "raise"
    ALLOW = "allow"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class RemoteDecision:
    """What to do with an upload. `id` is for feedback; it is empty if nothing was asked.

    `kind` is what the file turned out to be, by the names of `takeback.gate.MediaKind`; `why` is a stable code for the
    reason why it is unreadable. `notes` are for people. `is_checked` is false if the service was away: check the upload
    again later.
    """

    action: Action
    id: str
    kind: str
    why: str = ""
    notes: tuple[str, ...] = ()
    is_checked: bool = True

    def explain(self) -> str:
        """Returns the notes as one line. What matched is not known here."""
        return "; ".join(self.notes)

    def as_dict(self) -> dict[str, object]:
        """Returns the decision for JSON, with the field names of the sidecar's."""
        return {
            "decision": self.action.value,
            "explanation": self.explain(),
            "notes": list(self.notes),
            "kind": self.kind,
            "why": self.why,
            "checked": self.is_checked,
            "id": self.id,
        }


class RemoteGate:
    """A gate whose list is at a look-up service. Thread-safe; a process that forks must open it after the fork.

    It has the `check`, `check_signals` and `feedback` of `takeback.gate.Gate`. Pictures stay here: what is sent are the
    first five hex digits of the file's SHA-256, and then, unless that hash is listed, the other fingerprints.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        when_away: WhenAway | str = WhenAway.RAISE,
        unreadable: Action = Action.REVIEW,
        asks_parts: bool = True,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        """`address` is the service's, https://HOST[:PORT]; `key` is the site's, from its operator.

        `unreadable` is for pictures that cannot be hashed and for videos, whose SHA-256 is not listed. Without
        `asks_parts`, the local hashes of pictures are not sent, which tells less and finds fewer copies. `timeout` is
        in seconds. Raises `SettingsError` if a value cannot be used.
        """
        check_address(address, "the look-up service", "the key and the fingerprints could be read in transit")
        if not KEY_PATTERN.fullmatch(key):
            raise SettingsError("the site's key is malformed: expected tbl_, 16 hex digits, _, 64 hex digits")
        try:
            self._when_away = WhenAway(when_away)
        except ValueError as error:
            raise SettingsError(f"when_away must be one of {', '.join(WhenAway)}") from error
        self._unreadable = unreadable
        self._asks_parts = asks_parts
        # So that the service never learns an account's name; the same after a restart, or it would count twice.
        self._name_key = blake2b(key.encode(), digest_size=32, person=b"uploaders").digest()
        try:
            self._http = httpx.Client(
                base_url=address,
                headers={"Authorization": f"Bearer {key}", "User-Agent": "takeback"},
                timeout=timeout,
                follow_redirects=False,
            )
        except OSError as error:
            raise unreadable_certificates(error) from error

    @classmethod
    def open(cls, *, when_away: WhenAway | str = WhenAway.RAISE) -> Self:
        """Opens the service that TAKEBACK_LOOKUP and TAKEBACK_LOOKUP_KEY name. Raises `SettingsError`."""
        address, key = os.environ.get(ADDRESS_VARIABLE), os.environ.get(KEY_VARIABLE)
        if not address or not key:
            raise SettingsError(f"set {ADDRESS_VARIABLE} and {KEY_VARIABLE}, or give address and key")
        return cls(address, key, when_away=when_away)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes connections."""
        self._http.close()

    def check(
        self, upload: bytes | str | Path | IO[bytes], *, given: str = "", uploader: str | None = None
    ) -> RemoteDecision:
        """Decides on an upload: bytes, a path, or a binary file; `given` is the media type that it came with, if any.

        A seekable file is read from its beginning and put back to its position; another one is read to its end.
        `uploader` is any name that the site has for the uploading person, so that the rate brake counts people; a keyed
        hash of it is sent. Raises `PictureError` if the path or the file cannot be read, `KeyRefused`, and by
        `WhenAway` `LookUpAway` and `TooManyQuestions`.
        """
        read = read_upload(upload if isinstance(upload, bytes) else _content(upload), given)
        return self._decide(read, uploader)

    def check_signals(
        self, signals: Sequence[Signal], dihedral: Mapping[str, str] | None = None, *, uploader: str | None = None
    ) -> RemoteDecision:
        """Decides on an upload that the site hashed; `dihedral` and `uploader` as for `Gate.check_signals`.

        A SHA-256 is asked for by prefix, and an MD5 never. Raises as `check` does.
        """
        exact = next((one.value for one in signals if one.type is SignalType.SHA256), "")
        asked = tuple(one for one in signals if one.type in _ASKED)
        return self._decide(HashedUpload("signals", exact, asked, dict(dihedral or {})), uploader)

    def trouble(self) -> str:
        """Returns why nothing can be decided now, or nothing; it asks one question. For the start of a server."""
        try:
            self._exact("0" * 64)
        except (KeyRefused, LookUpAway, TooManyQuestions) as error:
            return str(error)
        return ""

    def _decide(self, read: HashedUpload, uploader: str | None) -> RemoteDecision:
        start = RemoteDecision(Action.ALLOW, "", read.kind)
        if read.why:
            start = replace(start, why=read.why.code, notes=(f"{read.kind}: {read.why}",))
        elif read.kind == "video":
            start = replace(start, notes=("of a video its SHA-256 alone was asked for",))
        elif read.kind == "signals" and not read.signals:
            start = replace(start, notes=("no fingerprint but exact hashes",))
        if read.kind in {"video", "unreadable"}:
            start = replace(start, action=self._unreadable)
        try:
            found = self._exact(read.sha256) if read.sha256 and read.kind != "not_media" else None
            found = found or (self._asked(read, uploader) if read.signals else None)
        except LookUpAway as error:
            return self._unchecked(start, error, self._when_away)
        except TooManyQuestions as error:
            is_alike = error.code == "too-alike" and self._when_away is WhenAway.ALLOW
            return self._unchecked(start, error, WhenAway.HOLD if is_alike else self._when_away)
        if found is None:
            return start
        return replace(start, action=max(start.action, found.decision, key=lambda one: one.weight), id=found.id)

    def _unchecked(self, start: RemoteDecision, error: LookUpAway | TooManyQuestions, how: WhenAway) -> RemoteDecision:
        if how is WhenAway.RAISE:
            raise error
        least = Action.REVIEW if how is WhenAway.HOLD else Action.ALLOW
        action = max(start.action, least, key=lambda one: one.weight)
        return replace(start, action=action, notes=(*start.notes, f"not checked: {error}"), is_checked=False)

    def _exact(self, sha256: str) -> RemoteAnswer | None:
        """Asks for the suffixes of a prefix, and compares here."""
        answer = self._ask("GET", messages.EXACT + sha256[:PREFIX_DIGITS], None, ExactAnswer)
        same = (one for one in answer.suffixes if secrets.compare_digest(one.suffix, sha256[PREFIX_DIGITS:]))
        return next((RemoteAnswer(one.decision, one.id) for one in same), None)

    def _asked(self, read: HashedUpload, uploader: str | None) -> RemoteAnswer:
        patches: list[PatchMessage] = list(read.patches) if self._asks_parts else []
        question = RemoteQuestion(
            [SignalMessage.of(one) for one in read.signals], read.dihedral, patches, self._named(uploader)
        )
        question.check()
        return self._ask("POST", messages.CHECK, question, RemoteAnswer)

    def _named(self, uploader: str | None) -> str | None:
        """Returns a keyed hash of an uploader's name."""
        if uploader is None:
            return None
        return blake2b(uploader.encode("utf-8", "surrogatepass"), key=self._name_key, digest_size=8).hexdigest()

    def feedback(self, of: RemoteDecision | str, verdict: Verdict | str, *, confirmed: bool = False) -> int:
        """Sends feedback of a decision, or of its id, within 30 days; returns 1, or 0 if there is no id.

        `confirmed` says that a moderator has looked at the upload. There is no queue here: raises `LookUpAway` or
        `TooManyQuestions` if it is to be sent again later, `KeyRefused`, `InvalidMessage` for an id that the service
        does not know, and `SettingsError` for an unknown verdict.
        """
        sealed = of.id if isinstance(of, RemoteDecision) else of
        try:
            said = Verdict(verdict)
        except ValueError as error:
            raise SettingsError(f"the verdict must be one of {', '.join(Verdict)}") from error
        if not sealed:
            return 0
        self._ask("POST", messages.FEEDBACK, RemoteOutcome(sealed, said, confirmed), messages.Accepted)
        return 1

    def _ask[M: Struct](self, method: str, path: str, message: Struct | None, kind: type[M]) -> M:
        """Sends a request and reads its answer."""
        body = msgspec.json.encode(message) if message is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            with self._http.stream(method, path, content=body, headers=headers) as answer:
                data = _limited(answer)
        except (httpx.HTTPError, OSError) as error:
            raise LookUpAway(f"the look-up service cannot be reached: {why(error)}") from error
        if answer.is_success:
            try:
                return msgspec.json.decode(data, type=kind)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise LookUpAway("the look-up service gave an answer that cannot be read") from error
        raise _error(answer, data)


def _limited(answer: httpx.Response) -> bytes:
    """Reads an answer of at most `_MAX_ANSWER_BYTES`. Raises `LookUpAway`."""
    data = bytearray()
    for part in answer.iter_bytes():
        data += part
        if len(data) > _MAX_ANSWER_BYTES:
            raise LookUpAway("the look-up service gave an answer that is too long")
    return bytes(data)


def _error(answer: httpx.Response, data: bytes) -> Exception:
    """Returns our error for an answer that refuses."""
    try:
        problem = msgspec.json.decode(data, type=Problem)
        code, text, field = problem.type.rpartition(":")[2], problem.detail or problem.title, problem.field
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        code, text, field = "", f"it answered {answer.status_code}", ""
    match answer.status_code:
        case 401 | 403:
            return KeyRefused("the look-up service does not accept the site's key")
        case 400 | 413 | 431:
            return InvalidMessage(text, field)
        case 429:
            after = answer.headers.get("retry-after", "")
            return TooManyQuestions(code or "quota", text, int(after) if after.isdecimal() and len(after) < 9 else 60)
        case _:
            return LookUpAway(f"the look-up service cannot answer: {text}")


def _content(upload: str | Path | IO[bytes]) -> bytes:
    """Reads an upload. Raises `PictureError`."""
    with opened(upload) as file:
        file.seek(0)
        return file.read()
