"""FastAPI: a dependency for any route that takes a file. Needs TAKEBACK_GATE_HOME."""

from functools import cache
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, UploadFile
from fastapi.concurrency import run_in_threadpool

from takeback.gate import Action, Gate

Gate.open().close()  # a folder that cannot be used stops the server here, and not the first upload
gate = cache(Gate.open)  # opened at the first upload, which comes after the server has forked
app = FastAPI()


async def checked_photo(photo: UploadFile) -> UploadFile:
    """Returns an upload; raises `HTTPException` if it is listed. A thread waits for the hashes, so others go on."""
    decision = await run_in_threadpool(gate().check, photo.file, given=photo.content_type or "")
    if decision.action is Action.BLOCK:
        await run_in_threadpool(gate().feedback, decision, "blocked")
    if decision.action is not Action.ALLOW:
        raise HTTPException(422, "This picture cannot be posted here.")
    return photo


@app.post("/upload", status_code=201)
async def upload(photo: Annotated[UploadFile, Depends(checked_photo)]) -> int:
    """Stores a photo that is not listed."""
    return len(await photo.read())
