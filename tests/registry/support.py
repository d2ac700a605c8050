"""What the registry's tests share: a real server in its own process, and messages to send to it."""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import altcha
import httpx

from takeback import protocol
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.platforms import Platforms
from takeback.signals import patches_value

MAIN: Final = "from takeback.cli import main; main()"
PIN: Final = "K7QM-2XRW-9DHF"
OTHER_PIN: Final = "2345-6789-ABCD"
type Json = Any


def command(*arguments: str | Path | int, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `takeback` as a user does."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        env=clean_environment(environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def clean_environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """The environment without Takeback's settings, except for no proof of work and no publication delay."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAKEBACK_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "TAKEBACK_MIX": "0", "TAKEBACK_WORK": "0", **(more or {})}


class Server:
    """A registry in its own process. `log` is the file of its standard error."""

    def __init__(
        self, data: Path, *options: str | Path, program: str = MAIN, environ: dict[str, str] | None = None
    ) -> None:
        self.data = data
        self.environ = environ
        self.log = data.with_name(f"{data.name}.log")
        arguments = ["registry", "serve", "--data", data, "--port", "0", *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, *map(str, arguments)],
                env=clean_environment(environ),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("Takeback registry at http"), (line, self.log.read_text())
        self.address = line.split()[3].rstrip("/")
        self.http = httpx.Client(base_url=self.address, timeout=30)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the process and waits for it."""
        self.http.close()
        self.process.send_signal(how)
        self.process.wait(timeout=30)
        assert self.process.stdout
        self.process.stdout.close()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `takeback` on the same data."""
        return command(*arguments, "--data", self.data, environ=self.environ)

    def platform(self, name: str) -> "Platform":
        """A platform with a new key, made by the command line."""
        made = self.command("platform", "add", name)
        assert made.returncode == 0, made.stderr
        return Platform(self.http, made.stdout.split()[0])

    def submit(self, *pictures: Sequence[Json], pin: str = PIN, key: str | None = None) -> httpx.Response:
        """Sends a new case of these pictures."""
        body = {"pictures": [{"signals": list(signals)} for signals in pictures]}
        return self.http.post("/v1/cases", json=body, headers=secret_headers(pin, key))

    def case(self, number: str, pin: str = PIN) -> httpx.Response:
        """Asks for a case's status."""
        return self.http.get(f"/v1/cases/{number}", headers={"Takeback-Pin": pin})

    def add_pictures(self, number: str, *pictures: Sequence[Json], pin: str = PIN, key: str = "") -> httpx.Response:
        """Adds pictures to a case."""
        body = {"pictures": [{"signals": list(signals)} for signals in pictures]}
        headers = secret_headers(pin, key or None)
        return self.http.post(f"/v1/cases/{number}/pictures", json=body, headers=headers)

    def withdraw(self, number: str, *positions: int, pin: str = PIN) -> httpx.Response:
        """Withdraws a case, or the pictures at these positions."""
        body = {"pictures": positions} if positions else None
        return self.http.post(f"/v1/cases/{number}/withdraw", headers={"Takeback-Pin": pin}, json=body)


class Platform:
    """A platform that follows the feed over HTTP."""

    def __init__(self, http: httpx.Client, key: str) -> None:
        self._http = http
        self.key = key
        self.headers = {"Authorization": f"Bearer {key}", "Takeback-Signal-Types": "patches"}

    @property
    def older(self) -> "Platform":
        """The same platform with a client of the first version, which does not know `patches`."""
        same = Platform(self._http, self.key)
        del same.headers["Takeback-Signal-Types"]
        return same

    def page(self, after: int = 0, limit: int = 1000) -> Json:
        """A page of the feed."""
        answer = self._http.get("/v1/feed", params={"after": after, "limit": limit}, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def active(self) -> dict[str, tuple[str, str]]:
        """The active entries of the whole feed, entry id to type and value; checks the feed's rules."""
        return follow(self._walk())[0]

    def _walk(self) -> Iterator[Json]:
        after = 0
        while entries := self.page(after)["entries"]:
            yield from entries
            after = entries[-1]["number"]

    def report(self, *entries: str, verdict: str = "blocked", event: str | None = None) -> Json:
        """Reports one upload."""
        body = {"feedback": [{"id": event or secrets.token_hex(16), "verdict": verdict, "entries": list(entries)}]}
        answer = self._http.post("/v1/feedback", json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


def follow(entries: Iterator[Json]) -> tuple[dict[str, tuple[str, str]], int]:
    """Applies lines of the feed and asserts the four rules of PROTOCOL.md; returns active entries and last number."""
    active: dict[str, tuple[str, str]] = {}
    ever: set[str] = set()
    number = 0
    for entry in entries:
        assert entry["number"] == number + 1, "a gap or a repeat"
        number = entry["number"]
        if entry["action"] == "change":
            assert entry["entry"] in active, "a change of an entry that is not there"
        elif entry["action"] == "erased":
            assert entry["entry"] not in ever, "an entry id came back"
            active[entry["entry"]] = ("erased", entry["entry"])
            ever.add(entry["entry"])
        elif entry["action"] == "add":
            signal_key = (entry["signal"]["type"], entry["signal"]["value"])
            assert entry["entry"] not in ever, "an entry id came back"
            assert signal_key not in active.values(), "two active entries carry the same signal"
            active[entry["entry"]] = signal_key
            ever.add(entry["entry"])
        else:
            assert entry["entry"] in active, "a removal of an entry that is not there"
            del active[entry["entry"]]
    return active, number


@contextmanager
def serving(
    data: Path, *options: str | Path, environ: dict[str, str] | None = None, program: str = MAIN
) -> Iterator[Server]:
    """A server that is stopped afterwards."""
    server = Server(data, *options, environ=environ, program=program)
    try:
        yield server
    finally:
        server.stop()


def quick_platform(server: Server, name: str) -> Platform:
    """A platform with a new key, added directly to a registry's SQLite database."""
    engine = open_database(server.data / "registry.sqlite")
    key = Platforms(engine).add(name).text()
    engine.dispose()
    return Platform(server.http, key)


def secret_headers(pin: str = PIN, key: str | None = None) -> dict[str, str]:
    """The headers of a new case."""
    return {"Takeback-Pin": pin, "Idempotency-Key": key or secrets.token_hex(16)}


def solved(challenge: protocol.Challenge | None) -> str:
    """The solution of a challenge, by altcha's own solver."""
    assert challenge is not None
    told = altcha.v2.Challenge.from_dict(json.loads(protocol.encode(challenge)))
    solution = altcha.solve_challenge(told)
    assert solution
    return altcha.v2.Payload(told, solution).to_base64()


def md5() -> Json:
    """A random exact signal."""
    return {"type": "md5", "value": secrets.token_hex(16)}


def sha256() -> Json:
    """A random SHA-256 signal."""
    return {"type": "sha256", "value": secrets.token_hex(32)}


def telling() -> str:
    """A random PDQ hash with half of its bits set, like a real one."""
    return f"{sum(1 << bit for bit in random.SystemRandom().sample(range(256), 128)):064x}"


def pdq(quality: int = 100) -> Json:
    """A random PDQ signal."""
    return {"type": "pdq", "value": telling(), "quality": quality}


def patches(frames: int = 1, hashes: int = 16) -> Json:
    """A random signal of local hashes, each with half of its bits set, like a real one."""
    drawn = random.SystemRandom()
    some = [
        [f"{sum(1 << bit for bit in drawn.sample(range(64), 32)):016x}" for _ in range(hashes)] for _ in range(frames)
    ]
    return {"type": "patches", "value": patches_value(some)}


def values(active: dict[str, tuple[str, str]]) -> set[str]:
    """The values of a platform's active entries."""
    return {value for _, value in active.values()}


def problem(answer: httpx.Response, status: int, code: str, field: str | None = None) -> protocol.Problem:
    """Asserts that the answer is this problem in the protocol's form, and returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = protocol.decode(answer.content, protocol.Problem)
    assert (said.type, said.status) == (f"urn:takeback:problem:{code}", status)
    if field is not None:
        assert said.field == field, said
    return said
