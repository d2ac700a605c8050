"""Asks about an upload: the gate in this process, a sidecar over HTTP, or a look-up service."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Protocol, Self, override

import httpx
import msgspec

from takeback.errors import GateError, PictureError, RequestRefused, SettingsError, TakebackError
from takeback.gate.processes.hashing_process import HashedFile
from takeback.gate.rules.policy import Action
from takeback.gate.service import Gate
from takeback.integrations.checker import FILE_REFUSED, SIDECAR_SECONDS, SidecarAnswer, harmless
from takeback.integrations.proxy.spool import Spool
from takeback.lookup import RemoteGate
from takeback.protocol import Verdict

REFRESH_SECONDS: Final = 0.05
"""Time between looks at the gate's state, as in the sidecar."""


class Undecided(Exception):
    """The gate could not decide on an upload; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was decided of an upload: the action, and for feedback the decision's id and the entries that matched.

    A look-up service knows the entries by the id.
    """

    action: Action
    id: str
    entries: tuple[str, ...]
    has_match: bool


class Judge(Protocol):
    """Decides on uploads."""

    async def judge(self, upload: Spool, given: str) -> Judgement:
        """Decides on an upload with the media type `given`. Raises `Undecided`."""

    async def report(self, judgement: Judgement, verdict: Verdict) -> None:
        """Queues feedback for the registry. Raises `Undecided`."""

    async def close(self) -> None:
        """Gives back what it holds."""


class GateJudge(Judge):
    """The gate of a folder, in this process; files are hashed in confined processes."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, "judge")

    @classmethod
    def open(cls, home: str) -> Self:
        """Opens the gate in a folder. Raises `SettingsError` or `GateError`."""
        gate = Gate.open(home)
        gate.refresh_seconds = REFRESH_SECONDS
        gate.policy = replace(gate.policy, processes=gate.policy.processes or max(2, os.cpu_count() or 1))
        gate.warm_up()
        return cls(gate)

    @override
    async def judge(self, upload: Spool, given: str) -> Judgement:
        try:
            read = await self._read(upload, given)
            decision = await self._in_thread(lambda: self._gate.judge(read))
        except (GateError, PictureError) as error:
            raise Undecided(str(error)) from error
        entries = tuple(match.entry for match in decision.matches)
        return Judgement(decision.action, decision.id, entries, bool(entries))

    async def _read(self, upload: Spool, given: str) -> HashedFile:
        job = self._gate.read(upload.file, given)
        hashed = asyncio.wrap_future(job.future)
        try:
            return await asyncio.shield(hashed)
        except asyncio.CancelledError:
            job.cancel()
            await asyncio.wait([hashed])  # nobody may change the upload while it is still read
            hashed.exception()
            raise

    @override
    async def report(self, judgement: Judgement, verdict: Verdict) -> None:
        try:
            await self._in_thread(lambda: self._gate.feedback(judgement.entries, verdict, upload=judgement.id))
        except (GateError, SettingsError) as error:
            raise Undecided(str(error)) from error

    async def _in_thread[R](self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @override
    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._gate.close()


class SidecarJudge(Judge):
    """A running sidecar: `takeback gate serve`."""

    def __init__(self, url: str, token: str) -> None:
        fields = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(
            base_url=url,
            headers=fields,
            timeout=httpx.Timeout(SIDECAR_SECONDS, connect=5),
            # A transport of its own, so that no upload goes through a proxy that the environment names.
            transport=httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None, max_keepalive_connections=16)),
        )

    @override
    async def judge(self, upload: Spool, given: str) -> Judgement:
        # The type of a form would have the sidecar look for one in the upload.
        fields = {"content-length": str(upload.size), "content-type": harmless(given)}
        if not upload.size:  # a sidecar asks for a file
            return Judgement(Action.ALLOW, "", (), has_match=False)
        try:
            answered = await self._post("/v1/check", upload.read(), fields)
        except _FileRefused:  # whoever pads a file must not get it past
            return Judgement(Action.REVIEW, "", (), has_match=False)
        try:
            found = msgspec.json.decode(answered, type=SidecarAnswer)
        except msgspec.DecodeError as error:
            raise Undecided("the service at --sidecar is not a sidecar") from error
        return Judgement(found.decision, found.id, found.entries, bool(found.entries))

    @override
    async def report(self, judgement: Judgement, verdict: Verdict) -> None:
        told = {"id": judgement.id, "entries": judgement.entries, "verdict": verdict.value}
        await self._post("/v1/feedback", msgspec.json.encode(told), {"content-type": "application/json"})

    async def _post(self, path: str, content: bytes | AsyncIterator[bytes], fields: dict[str, str]) -> bytes:
        try:
            got = await self._client.post(path, content=content, headers=fields)
        except RequestRefused as error:
            raise Undecided(str(error)) from error
        except httpx.HTTPError as error:
            raise Undecided(f"the sidecar cannot be reached ({type(error).__name__})") from error
        if got.status_code in FILE_REFUSED:
            raise _FileRefused(f"the sidecar refuses the file with {got.status_code}")
        if got.status_code not in {200, 202}:
            raise Undecided(f"the sidecar answers {got.status_code}")
        return got.content

    @override
    async def close(self) -> None:
        await self._client.aclose()


class _FileRefused(Undecided):
    """The sidecar takes no such file: it is too large, for example."""


class LookUpJudge(Judge):
    """A look-up service; uploads are hashed in processes of this machine."""

    def __init__(self, remote: RemoteGate) -> None:
        """`remote` must raise if the service is away."""
        self._remote = remote
        self._threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "judge")

    @override
    async def judge(self, upload: Spool, given: str) -> Judgement:
        asked = asyncio.ensure_future(self._in_thread(lambda: self._remote.check(upload.file, given=given)))
        try:
            decision = await asyncio.shield(asked)
        except asyncio.CancelledError:
            await asyncio.wait([asked])  # nobody may change the upload while it is still read
            asked.exception()
            raise
        except (GateError, PictureError) as error:
            raise Undecided(str(error)) from error
        return Judgement(decision.action, decision.id, (), bool(decision.id and decision.action is not Action.ALLOW))

    @override
    async def report(self, judgement: Judgement, verdict: Verdict) -> None:
        try:
            await self._in_thread(lambda: self._remote.feedback(judgement.id, verdict))
        except TakebackError as error:
            raise Undecided(str(error)) from error

    async def _in_thread[R](self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @override
    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._remote.close()
