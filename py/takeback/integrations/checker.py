"""Asks about uploads by one setting: a sidecar, a gate's folder or a look-up service.

A sidecar is the best of them for a web server: neither key nor list is in its process, and files are read in confined
processes. A folder needs no service of its own; a look-up service needs no list.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Final, Protocol, Self, override

import httpx
import msgspec
from msgspec import Meta

from takeback.connections import check_address, why
from takeback.errors import GateError, SettingsError
from takeback.protocol import Action, EntryId, Verdict
from takeback.upload_file import opened

HOME: Final = "TAKEBACK_GATE_HOME"
SIDECAR: Final = "TAKEBACK_SIDECAR"
TOKEN: Final = "TAKEBACK_GATE_TOKEN"  # noqa: S105 - the name of a variable
LOOKUP: Final = "TAKEBACK_LOOKUP"
LOOKUP_KEY: Final = "TAKEBACK_LOOKUP_KEY"
WHEN_AWAY: Final = "TAKEBACK_WHEN_AWAY"
SIDECAR_SECONDS: Final = 120.0
"""For which a sidecar may be silent: a video takes up to a minute of processor time, and may wait for others."""

FILE_REFUSED: Final = frozenset({400, 413, 422})
"""Answers of a sidecar that takes no such file."""
CHUNK_BYTES: Final = 1 << 18

type UploadSource = bytes | str | Path | IO[bytes]


class WhenUndecided(StrEnum):
    """What a check does if nobody can decide: ask for a review, or let the upload pass to be checked later."""

    HOLD = "hold"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Checked:
    """What to do with an upload. `is_checked` is false if nobody could decide: check it again later.

    `id` and `entries` are for feedback. `why` is for the log, and says nothing about the upload but its kind.
    """

    action: Action
    id: str = ""
    entries: tuple[str, ...] = ()
    is_checked: bool = True
    why: str = ""


class UploadChecker(Protocol):
    """Decides on uploads. Thread-safe; a process that forks must open it after the fork."""

    def check(self, upload: UploadSource, *, given: str = "", uploader: str | None = None) -> Checked:
        """Decides on an upload: bytes, a path or an open file, which is put back to its position.

        `given` is the media type that it came with; `uploader` is any name that the site has for the uploading person.
        Raises `PictureError` if a path or a file cannot be read.
        """

    def feedback(self, of: Checked, verdict: Verdict, *, confirmed: bool = False) -> None:
        """Tells the registry what became of an upload. Raises `GateError` if it is to be told again later."""

    def trouble(self) -> str:
        """Returns why nothing can be decided now, or nothing. For the start of a service and for its settings page."""

    def close(self) -> None:
        """Gives back what it holds."""


@dataclass(frozen=True, slots=True)
class CheckerSettings:
    """Who is asked: `sidecar`, the URL of `takeback gate serve`; `home`, a gate's folder; or `lookup` with a `key`."""

    sidecar: str = ""
    token: str = ""
    home: str = ""
    lookup: str = ""
    key: str = ""
    when_away: str = WhenUndecided.HOLD

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Reads the settings of some software: a mapping with the names of the fields. Raises `SettingsError`."""
        unknown = set(values) - set(cls.__slots__)
        if unknown:
            raise SettingsError(f"unknown setting {min(unknown)}: expected {', '.join(cls.__slots__)}")
        for name, value in values.items():
            if not isinstance(value, str):
                raise SettingsError(f"{name} must be text")
        return cls(**values)  # type: ignore[arg-type]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Reads TAKEBACK_SIDECAR, TAKEBACK_GATE_HOME or TAKEBACK_LOOKUP, and what belongs to each."""
        return cls(
            environ.get(SIDECAR, ""),
            environ.get(TOKEN, ""),
            environ.get(HOME, ""),
            environ.get(LOOKUP, ""),
            environ.get(LOOKUP_KEY, ""),
            environ.get(WHEN_AWAY, "") or WhenUndecided.HOLD,
        )


def open_checker(settings: CheckerSettings) -> UploadChecker:
    """Opens whom the settings name. Call it once at the start as well as in each process: it tells what is wrong.

    Raises `SettingsError` if they name none, several, or one that cannot be used, and `GateError` for a folder whose
    state cannot be read.
    """
    named = [name for name in ("sidecar", "home", "lookup") if getattr(settings, name)]
    if len(named) != 1:
        which = "several are" if named else "none is"
        raise SettingsError(
            f"set one of a sidecar ({SIDECAR}), a gate's folder ({HOME}) and a look-up service ({LOOKUP}): {which} set"
        )
    try:
        when_away = WhenUndecided(settings.when_away)
    except ValueError as error:
        raise SettingsError(f"when_away must be one of {', '.join(WhenUndecided)}") from error
    match named[0]:
        case "sidecar":
            return _SidecarChecker(settings.sidecar, settings.token, when_away)
        case "home":
            return _FolderChecker(settings.home, when_away)
        case _:
            return _LookUpChecker(settings.lookup, settings.key, when_away)


class _Away:
    """Says what is done if nobody can decide."""

    def __init__(self, when_away: WhenUndecided) -> None:
        self._action = Action.REVIEW if when_away is WhenUndecided.HOLD else Action.ALLOW

    def unchecked(self, error: Exception | str) -> Checked:
        return Checked(self._action, is_checked=False, why=f"not checked: {error}")


class _FolderChecker(UploadChecker):
    """The gate of a folder, in this process; files are hashed in confined processes."""

    def __init__(self, home: str, when_away: WhenUndecided) -> None:
        from takeback.gate import Gate

        self._gate = Gate.open(home)
        self._away = _Away(when_away)

    @override
    def check(self, upload: UploadSource, *, given: str = "", uploader: str | None = None) -> Checked:
        try:
            decision = self._gate.check(upload, given=given, uploader=uploader)
        except GateError as error:
            return self._away.unchecked(error)
        entries = tuple(match.entry for match in decision.matches)
        return Checked(decision.action, decision.id, entries, why=decision.kind)

    @override
    def feedback(self, of: Checked, verdict: Verdict, *, confirmed: bool = False) -> None:
        if of.entries:
            self._gate.feedback(of.entries, verdict, upload=of.id, confirmed=confirmed)

    @override
    def trouble(self) -> str:
        return self._gate.status().alarm or ""

    @override
    def close(self) -> None:
        self._gate.close()


class _Matched(msgspec.Struct, frozen=True):
    entry: EntryId


class SidecarAnswer(msgspec.Struct, frozen=True):
    """What is used of a sidecar's answer."""

    decision: Action
    id: EntryId
    matches: list[_Matched]
    kind: Annotated[str, Meta(pattern=r"^[a-z_]*\Z", max_length=32)] = ""

    @property
    def entries(self) -> tuple[str, ...]:
        """Ids of the entries that matched."""
        return tuple(match.entry for match in self.matches)


class _SidecarChecker(UploadChecker):
    """A running sidecar: `takeback gate serve`."""

    def __init__(self, url: str, token: str, when_away: WhenUndecided) -> None:
        # Plain HTTP is accepted, because a sidecar is on this machine or in a private network.
        check_address(url.replace("http:", "https:", 1), SIDECAR, "uploads could be read in transit")
        self._away = _Away(when_away)
        self._client = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(SIDECAR_SECONDS, connect=5),
            trust_env=False,  # no upload goes through a proxy that the environment names
        )

    @override
    def check(self, upload: UploadSource, *, given: str = "", uploader: str | None = None) -> Checked:
        with opened(upload) as file:
            size = file.seek(0, os.SEEK_END)
            if not size:
                return Checked(Action.ALLOW, why="empty")  # a sidecar asks for a file
            file.seek(0)
            headers = {"content-length": str(size), "content-type": harmless(given)}
            try:
                found = msgspec.json.decode(self._post("/v1/check", _chunks(file), headers), type=SidecarAnswer)
            except msgspec.DecodeError:
                return self._away.unchecked(f"what answers at {SIDECAR} is not a sidecar")
            except _FileRefused as error:  # whoever pads a file must not get it past
                return Checked(Action.REVIEW, is_checked=False, why=f"not checked: {error}")
            except GateError as error:
                return self._away.unchecked(error)
        return Checked(found.decision, found.id, found.entries, why=found.kind)

    @override
    def feedback(self, of: Checked, verdict: Verdict, *, confirmed: bool = False) -> None:
        if of.entries:
            told = {"id": of.id, "entries": of.entries, "verdict": verdict.value, "confirmed": confirmed}
            self._post("/v1/feedback", msgspec.json.encode(told), {"content-type": "application/json"})

    def _post(self, path: str, content: bytes | Iterator[bytes], headers: dict[str, str]) -> bytes:
        """Returns a sidecar's answer. Raises `GateError`."""
        try:
            got = self._client.post(path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise GateError(f"the sidecar cannot be reached: {why(error)}") from error
        if got.status_code in FILE_REFUSED:
            raise _FileRefused(f"the sidecar refuses the file with {got.status_code}")
        if got.status_code not in {200, 202}:
            raise GateError(f"the sidecar answers {got.status_code}")
        return got.content

    @override
    def trouble(self) -> str:
        try:
            status = self._client.get("/readyz", timeout=5).status_code
        except httpx.HTTPError as error:
            return f"the sidecar cannot be reached: {why(error)}"
        return "" if status == 200 else f"the sidecar cannot decide yet: /readyz answers {status}"

    @override
    def close(self) -> None:
        self._client.close()


class _LookUpChecker(UploadChecker):
    """A look-up service; uploads are hashed here, and stay here."""

    def __init__(self, address: str, key: str, when_away: WhenUndecided) -> None:
        from takeback.lookup import RemoteGate

        self._remote = RemoteGate(address, key, when_away=when_away.value)
        self._away = _Away(when_away)

    @override
    def check(self, upload: UploadSource, *, given: str = "", uploader: str | None = None) -> Checked:
        try:
            decision = self._remote.check(upload, given=given, uploader=uploader)
        except GateError as error:  # the key is refused
            return self._away.unchecked(error)
        text = decision.kind if decision.is_checked else decision.explain()
        return Checked(decision.action, decision.id, is_checked=decision.is_checked, why=text)

    @override
    def feedback(self, of: Checked, verdict: Verdict, *, confirmed: bool = False) -> None:
        self._remote.feedback(of.id, verdict, confirmed=confirmed)

    @override
    def trouble(self) -> str:
        return self._remote.trouble()

    @override
    def close(self) -> None:
        self._remote.close()


class _FileRefused(GateError):
    """The sidecar takes no such file: it is too large, for example."""


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yields what is left of a file."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def harmless(given: str) -> str:
    """Returns a media type that can stand in a header, and that does not say that the upload is a form."""
    plain = given.strip().lower()
    is_plain = plain.isascii() and plain.isprintable() and not plain.startswith("multipart/")
    return plain if plain and is_plain else "application/octet-stream"
