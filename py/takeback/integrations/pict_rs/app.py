"""The address that pict-rs asks: it sends a file as the body, and takes the upload if the answer is 2xx.

Source: pict-rs 0.4.3's release notes, and its `external_validation`: a POST in chunks with the media type, which is
given up after `external_validation_timeout` seconds (30 by default); any other status refuses the upload.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from takeback.errors import PictureError, RequestRefused, TakebackError
from takeback.gate.serve.log import write_log
from takeback.integrations.callers import is_caller
from takeback.integrations.checker import Checked, UploadChecker
from takeback.integrations.proxy.spool import Spool, SpoolBudget, spooled, too_large
from takeback.protocol import Action, Verdict

BODY_SECONDS: Final = 60.0
"""Time for a file to arrive: it comes from pict-rs, which has it already."""
REFUSED_STATUS: Final = 422


@dataclass(frozen=True, slots=True)
class PictRsOptions:
    """Limits in bytes on one file and on all, how many are checked at once, and what becomes of doubtful uploads."""

    max_bytes: int = 100_000_000
    all_bytes: int = 1_000_000_000
    threads: int = 2
    review: Literal["pass", "hold"] = "pass"
    report: bool = False


class PictRs:
    """The service."""

    def __init__(self, options: PictRsOptions, checker: UploadChecker, token: str) -> None:
        self._options = options
        self._checker = checker
        self._token = token
        self._budget = SpoolBudget(options.all_bytes)
        self._threads = ThreadPoolExecutor(options.threads, "check")

    async def validate(self, request: Request) -> Response:
        """Answers 204 if pict-rs may take the upload, else 4xx or 503."""
        if not is_caller(request.headers.get("authorization", ""), self._token):
            return _problem(401, "not-allowed", "the token is missing or wrong")
        try:
            with spooled(self._budget, self._options.max_bytes) as spool:
                await self._take_in(request, spool)
                checked = await self._check(spool, request.headers.get("content-type", ""))
        except RequestRefused as error:
            return _problem(error.status, error.code, str(error))
        except ClientDisconnect:
            return Response(status_code=400)
        return await self._answer(checked)

    async def _take_in(self, request: Request, spool: Spool) -> None:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._options.max_bytes:
            raise too_large(self._options.max_bytes)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.stream():
                    await spool.write(part)
        except TimeoutError as error:
            raise RequestRefused(408, "too-slow", "the file did not arrive in time") from error

    async def _check(self, spool: Spool, given: str) -> Checked:
        try:
            spool.file.seek(0)
            return await self._in_thread(lambda: self._checker.check(spool.file, given=given))
        except PictureError as error:
            return Checked(Action.REVIEW, is_checked=False, why=str(error))

    async def _in_thread[R](self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _answer(self, checked: Checked) -> Response:
        if not checked.is_checked:
            is_held = checked.action is not Action.ALLOW
            write_log(f"{'refused' if is_held else 'taken'}: {checked.why}")
            if is_held:
                refusal = _problem(503, "cannot-check", "pictures cannot be checked at the moment")
                refusal.headers["retry-after"] = "30"
                return refusal
            return Response(status_code=204)
        if checked.action is Action.ALLOW:
            return Response(status_code=204)
        passes = checked.action is Action.REVIEW and self._options.review == "pass"
        write_log(f"{checked.action}, decision {checked.id or 'none'}, {'passed' if passes else 'refused'}")
        if self._options.report and (passes or checked.action is Action.BLOCK):
            await self._report(checked)
        return Response(status_code=204) if passes else _problem(REFUSED_STATUS, "blocked", "not to be posted here")

    async def _report(self, checked: Checked) -> None:
        verdict = Verdict.BLOCKED if checked.action is Action.BLOCK else Verdict.PENDING_REVIEW
        try:
            await self._in_thread(lambda: self._checker.feedback(checked, verdict))
        except TakebackError as error:
            write_log(f"feedback could not be given: {error}")

    async def close(self) -> None:
        """Waits for checks in progress, and closes who is asked."""
        await asyncio.to_thread(self._threads.shutdown)
        self._checker.close()


def create_app(options: PictRsOptions, checker: UploadChecker, token: str) -> Starlette:
    """Returns the application; pict-rs may be given any path."""
    service = PictRs(options, checker, token)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await service.close()

    async def health(_request: Request) -> Response:
        trouble = await asyncio.to_thread(checker.trouble)
        return JSONResponse({"trouble": trouble}, 503 if trouble else 200)

    routes = [
        Route("/healthz", health),
        Route("/{path:path}", service.validate, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _problem(status: int, code: str, text: str) -> JSONResponse:
    return JSONResponse({"error": text, "code": code}, status)
