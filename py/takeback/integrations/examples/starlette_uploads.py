"""Starlette: checks a file before it is stored. Needs TAKEBACK_GATE_HOME."""

from functools import cache

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from takeback.gate import Action, Gate

Gate.open().close()  # a folder that cannot be used stops the server here, and not the first upload
gate = cache(Gate.open)  # opened at the first upload, which comes after the server has forked


async def upload(request: Request) -> PlainTextResponse:
    """Stores a photo that is not listed; hashing runs in a thread, so that other requests go on."""
    async with request.form(max_files=1) as form:
        photo = form["photo"]
        if not isinstance(photo, UploadFile):
            return PlainTextResponse("Send a file in the field photo.", 400)
        decision = await run_in_threadpool(gate().check, photo.file, given=photo.content_type or "")
    if decision.action is Action.BLOCK:
        await run_in_threadpool(gate().feedback, decision, "blocked")
    if decision.action is not Action.ALLOW:
        return PlainTextResponse("This picture cannot be posted here.", 422)
    return PlainTextResponse("Stored.", 201)


app = Starlette(routes=[Route("/upload", upload, methods=["POST"])])
