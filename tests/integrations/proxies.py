"""`takeback gate proxy` in a process of its own, and applications behind it."""

import asyncio
import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.types import Receive, Scope, Send

from tests.gate.pictures import drawing, jpeg, sent
from tests.gate.servers import Registry, followed
from tests.gate.sidecar import answering

LISTED = jpeg(drawing(1))
COPY = jpeg(drawing(1).resize((400, 300)), 70)
OTHER = jpeg(drawing(2))
BROKEN = b"\xff\xd8\xff\xe0 no picture"
"""Claims to be a picture, and asks for a review."""


def listing(registry: Registry, home: Path) -> Path:
    """The folder of a gate that has read a feed with LISTED on it."""
    for one in sent(LISTED):
        registry.log.add(one)
    return followed(registry, home)


@contextmanager
def proxying(upstream: str, *options: str, **environ: str) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    """The proxy before an application, and a client for it."""
    program = [
        sys.executable,
        "-c",
        "from takeback.cli import main; main()",
        "gate",
        "proxy",
        "--listen",
        "127.0.0.1:0",
    ]
    around = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environ}
    command = [*program, "--listen", "127.0.0.1:0", "--upstream", upstream, *options]
    with subprocess.Popen(command, env=around, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            with httpx.Client(base_url=line.split()[5], timeout=30) as client:
                yield client, process
        finally:
            process.terminate()  # so that its coverage is written
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass
class Echo:
    """An application that tells what it got, and keeps it; `answer` is what it answers next, if not that."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/stream":
            await self._stream(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            self.began.set()
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        told = {"method": scope["method"], "target": target.decode("latin-1"), "headers": fields, "sha": digest(body)}
        told["peer"] = scope["client"]
        self.requests.append(told)
        answer = msgspec.json.encode(told)
        extra = [
            (b"x-from", b"echo"),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"connection", b"x-hop"),
            (b"x-hop", b"1"),
        ]
        status = 304 if scope["path"] == "/304" else 200
        length = [(b"content-length", str(len(answer)).encode())]
        await send(
            {"type": "http.response.start", "status": status, "headers": [*extra, *(length if status == 200 else [])]}
        )
        await send({"type": "http.response.body", "body": answer if status == 200 else b""})

    async def _stream(self, receive: Receive, send: Send) -> None:
        """Sends a part, waits for `go_on`, and sends another one; sets `left` if the caller leaves."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        while not self.go_on.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    self.left.set()
                    return
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})


@contextmanager
def echoing() -> Iterator[tuple[Echo, str]]:
    """The application, and its address."""
    echo = Echo()
    with answering(echo) as client:
        yield echo, str(client.base_url).rstrip("/")


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def last(echo: Echo) -> dict[str, str]:
    """The fields of the last request that arrived."""
    return dict(echo.requests[-1]["headers"])


@dataclass
class TusApp:
    """A small tus 1.0 server with Creation, Creation With Upload, Termination and deferred lengths."""

    uploads: dict[str, bytearray] = field(default_factory=dict)
    lengths: dict[str, int | None] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    refuse: int = 0
    """A status with which the next PATCH is refused, instead of taking its bytes."""

    def completed(self) -> list[bytes]:
        """The uploads that are complete."""
        return [bytes(data) for path, data in self.uploads.items() if len(data) == self.lengths[path]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["method"], scope["path"], headers))
        status, fields = self._act(scope["method"], scope["path"], headers, body)
        raw = [(name.encode(), value.encode()) for name, value in {"tus-resumable": "1.0.0", **fields}.items()]
        await send({"type": "http.response.start", "status": status, "headers": [*raw, (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _act(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        if method == "OPTIONS":
            return 204, {"tus-extension": "creation, creation-with-upload,concatenation,termination"}
        if method == "POST":
            made = f"/files/{len(self.uploads)}"
            length = headers.get("upload-length")
            self.uploads[made], self.lengths[made] = bytearray(body), int(length) if length else None
            return 201, {"location": f"http://{headers['host']}{made}", "upload-offset": str(len(body))}
        if path not in self.uploads:
            return 404, {}
        if method == "DELETE":
            del self.uploads[path], self.lengths[path]
            self.deleted.append(path)
            return 204, {}
        status = self._patch(path, headers, body) if method == "PATCH" else 200
        return status, {"upload-offset": str(len(self.uploads[path]))} if status < 300 else {}

    def _patch(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if self.refuse:
            status, self.refuse = self.refuse, 0
            return status
        if int(headers["upload-offset"]) != len(self.uploads[path]):
            return 409
        if "upload-length" in headers:
            self.lengths[path] = int(headers["upload-length"])
        self.uploads[path] += body
        return 204


def metadata(kind: str) -> str:
    """`Upload-Metadata` with a name and a media type."""
    return f"filename {base64.b64encode(b'a').decode()},filetype {base64.b64encode(kind.encode()).decode()}"
