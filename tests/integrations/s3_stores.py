"""An S3-compatible store in a process of its own: moto's server, installed into a folder."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, override
from urllib.parse import quote_plus

import httpx
import pytest

from tests.integrations.services import Started, started, until

MOTO = ("moto==5.2.5", "py-partiql-parser==0.6.3", "PyYAML", "flask", "flask-cors")
"""What moto's server needs for S3 alone."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_SERVE = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


def installed(folder: Path) -> Path:
    """Installs moto there, or skips the test."""
    pytest.importorskip("botocore")
    command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), *MOTO]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("needs the registry of Python packages")
    return folder


@dataclass
class S3:
    """A store: its URL, and a client for it."""

    url: str
    client: Any
    made: int = field(default=0)

    def bucket(self, *, versions: bool = False) -> str:
        """Makes a bucket, and returns its name."""
        self.made += 1
        name = f"bucket-{self.made}"
        self.client.create_bucket(Bucket=name)
        if versions:
            self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def put(self, bucket: str, key: str, content: bytes, **more: Any) -> dict[str, Any]:
        """Writes an object, and returns MinIO's event about it."""
        done = self.client.put_object(Bucket=bucket, Key=key, Body=content, **more)
        return event(bucket, key, done.get("VersionId", ""), done["ETag"])

    def keys(self, bucket: str) -> list[str]:
        """The keys of a bucket."""
        return [one["Key"] for one in self.client.list_objects_v2(Bucket=bucket).get("Contents", ())]

    def versions(self, bucket: str) -> list[str]:
        """The versions of all objects of a bucket."""
        return [one["VersionId"] for one in self.client.list_object_versions(Bucket=bucket).get("Versions", ())]

    def tags(self, bucket: str, key: str) -> dict[str, str]:
        """The tags of an object."""
        return {one["Key"]: one["Value"] for one in self.client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}


def event(
    bucket: str, key: str, version: str = "", etag: str = "", name: str = "s3:ObjectCreated:Put"
) -> dict[str, Any]:
    """An event as MinIO sends it."""
    written = {"key": quote_plus(key), "eTag": etag.strip('"'), "sequencer": "1"}
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "eventName": name,
        "responseElements": {"x-amz-request-id": "17C0FFEE"},
        "s3": {"bucket": {"name": bucket}, "object": {**written, **({"versionId": version} if version else {})}},
    }
    return {"EventName": name, "Key": f"{bucket}/{key}", "Records": [record]}


@contextmanager
def s3_store(moto: Path) -> Iterator[S3]:
    """A store, on a free port."""
    import botocore.session

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", _SERVE, str(port)]
    environ = {**os.environ, "PYTHONPATH": str(moto)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(url)
            client = botocore.session.Session().create_client(
                "s3",
                region_name="us-east-1",
                endpoint_url=url,
                aws_access_key_id="key",
                aws_secret_access_key="secret",
            )
            yield S3(url, client)
            client.close()
        finally:
            process.terminate()


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=5) as answer:
                json.load(answer)
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("moto's server does not start")


@contextmanager
def stalling(s3: S3, method: str = "DELETE", then: Callable[[], object] | None = None) -> Iterator[tuple[S3, Event]]:
    """The store behind a relay that lets no request with this method pass, and an event that is set by the first one.

    With `then` the first one waits for that, and passes.
    """
    reached, done = Event(), Event()

    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.command == method and not done.is_set():
                reached.set()
                if then is None:
                    done.wait(60)
                    self.close_connection = True
                    return
                done.set()
                then()
            fields = {name: value for name, value in self.headers.items() if name.lower() != "transfer-encoding"}
            answer = httpx.request(self.command, f"{s3.url}{self.path}", headers=fields, content=body)
            self.send_response(answer.status_code)
            hop = {"connection", "transfer-encoding", "content-length"}
            for name, value in answer.headers.multi_items():
                if name.lower() not in hop:
                    self.send_header(name, value)
            length = answer.headers.get("content-length", "0") if self.command == "HEAD" else len(answer.content)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = relay

        @override
        def log_message(self, *_: Any) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield S3(f"http://127.0.0.1:{server.server_port}", s3.client), reached
        finally:
            done.set()
            server.shutdown()
            thread.join()


@contextmanager
def watching(s3: S3, folder: Path, *options: str, **environ: str) -> Iterator[Started]:
    """The webhook; its queue is in `folder`."""
    pytest.importorskip("botocore")
    arguments = ["bucket", "--endpoint", s3.url, "--queue", str(folder / "queue"), *options]
    with started(folder, *arguments, **CREDENTIALS, **environ) as service:
        yield service


def decided(service: Started) -> bool:
    """Whether no notification waits any more."""
    return bool(service.client.get("/healthz").json() == {"waiting": 0})


def send(service: Started, *events: dict[str, Any]) -> None:
    """Posts events, and waits until all are decided."""
    for one in events:
        assert service.client.post("/", json=one).status_code == 200
    until(lambda: decided(service))
