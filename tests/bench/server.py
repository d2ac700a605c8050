"""A local server that sends folders unchanged, compressed forms first, and counts the bytes."""

import mimetypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final, override

TYPES: Final = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".whl": "application/zip",
}

type HeadersOf = Callable[[str], tuple[tuple[str, str], ...]]


class CountingServer(ThreadingHTTPServer):
    """Serves `folder`; `sent` is the bytes of all bodies so far as they were sent, but for paths in `later`."""

    daemon_threads = True

    def __init__(self, folder: Path, headers_of: HeadersOf, later: frozenset[str]) -> None:
        self.folder = folder
        self.later = later
        self.headers_of = headers_of
        self.sent = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: a browser that is closed leaves its connections as they are."""

    @property
    def address(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CountingServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = "index.html" if path == "/" else path.lstrip("/")
        file = (self.server.folder / name).resolve()
        if not file.is_relative_to(self.server.folder) or not file.is_file():
            self.send_error(404)
            return
        packed = file.with_name(f"{file.name}.br")
        body = (packed if packed.is_file() else file).read_bytes()
        self.send_response(200)
        self.send_header("content-type", TYPES.get(file.suffix) or mimetypes.guess_type(name)[0] or "text/plain")
        self.send_header("content-length", str(len(body)))
        if packed.is_file():
            self.send_header("content-encoding", "br")
        for header in self.server.headers_of(path):
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)
        self.server.sent += 0 if path in self.server.later else len(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def serving(folder: Path, headers_of: HeadersOf, later: frozenset[str] = frozenset()) -> Iterator[CountingServer]:
    """A running server, stopped in the end."""
    with CountingServer(folder.resolve(), headers_of, later) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
