"""The whole path at the ends of months and years: a real registry and a real gate, with clocks that the test sets."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest
import uvicorn

from takeback.connections import listen
from takeback.gate import Action, Gate, Verdict
from takeback.gate import settings as gate_settings
from takeback.gate.feed import snapshot_import
from takeback.registry.http.context import Services
from takeback.registry.operations import backup
from takeback.registry.rules.cases import QUIET_SECONDS
from takeback.registry.server import build_site
from takeback.registry.settings import RegistrySettings
from takeback.registry.storage.engine.database import open_database
from takeback.signals import Signal
from takeback.times import DAY_SECONDS, moment
from tests.gate.pictures import drawing, jpeg, sent
from tests.registry.support import PIN, Json, secret_headers

pytestmark = pytest.mark.filterwarnings("ignore:.*Litestar 3.0")
"""Litestar says at every start how its version 3 will want the routes written."""
MIX: Final = 300
EXPIRE, KEEP = 30, 30
FILES: Final = [jpeg(drawing(seed, (640, 480))) for seed in (1, 2)]
SIGNALS: Final = [sent(data) for data in FILES]
STARTS: Final = [
    "2026-11-28T12:00:00Z",
    "2026-11-29T00:00:00Z",
    "2026-11-30T23:59:59Z",
    "2027-01-30T10:00:00Z",
    "2027-01-31T23:55:00Z",
    "2027-02-28T23:59:59Z",
    "2028-02-28T23:59:59Z",
    "2028-02-29T12:00:00Z",
    "2028-02-29T23:59:59Z",
    "2027-12-31T23:59:59Z",
]
"""Among them the end of a month of 28, 29, 30 and 31 days, and of a year; mixing and expiry carry over each end."""


class Clock:
    """The time of both sides, in seconds since 1970."""

    def __init__(self, start: str) -> None:
        self.now = datetime.fromisoformat(start).astimezone(UTC).timestamp()

    def __call__(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> str:
        """Advances the clock; returns the time in the protocol's format."""
        self.now += seconds
        return moment(int(self.now))


class Here:
    """A registry that serves in a thread of the test's process."""

    def __init__(self, address: str, services: Services, clock: Clock) -> None:
        self.address, self.services, self.clock = address, services, clock
        self.http = httpx.Client(base_url=address, timeout=30)

    def settle(self) -> None:
        """Advances beyond the publication delay and publishes what is due; polls count from the next second."""
        self.clock.pass_time(MIX + 1)
        while self.services.store.feed.tick():
            pass
        self.clock.pass_time(1)

    def retain(self) -> None:
        """Ends and erases everything that is due."""
        while self.services.store.cases.retain():
            pass

    def send(self, picture: list[Signal]) -> Json:
        """A new case of one picture; its status."""
        signals = [
            {"type": one.type, "value": one.value, "variant": one.variant}
            | ({} if one.quality is None else {"quality": one.quality})
            for one in picture
        ]
        body = {"pictures": [{"signals": signals}]}
        answer = self.http.post("/v1/cases", json=body, headers=secret_headers())
        assert answer.status_code == 201, answer.text
        return answer.json()

    def case(self, number: str) -> httpx.Response:
        """A case's status."""
        return self.http.get(f"/v1/cases/{number}", headers={"Takeback-Pin": PIN})

    def withdraw(self, number: str) -> Json:
        """Withdraws a case."""
        answer = self.http.post(f"/v1/cases/{number}/withdraw", headers={"Takeback-Pin": PIN})
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def serving(data: Path, database: Path | str, clock: Clock) -> Iterator[Here]:
    """A registry over HTTP whose clock is `clock`."""
    address = database if isinstance(database, str) else ""
    settings = RegistrySettings(
        data=data, database=address, mix=MIX, expire=EXPIRE, keep=KEEP, work=0, arrivals=0, ncmec=True, stopncii=True
    )
    site, services = build_site(settings, clock)
    server = uvicorn.Server(uvicorn.Config(site, log_config=None, lifespan="on", ws="none"))
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        here = Here(f"http://127.0.0.1:{listener.getsockname()[1]}", services, clock)
        try:
            yield here
        finally:
            here.http.close()
            services.long_poll.stop()
            server.should_exit = True
            thread.join()


@pytest.mark.parametrize("start", STARTS)
def test_a_whole_path(
    start: str, new_database: Callable[[], Path | str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case, feed, sync, check, feedback, withdrawal, expiry, erasure and backup work as on any other day."""
    clock = Clock(start)
    database = new_database()
    data = database.parent if isinstance(database, Path) else tmp_path / "var"
    with serving(data, database, clock) as registry:
        key = registry.services.platforms.add("forum").text()
        gate_settings.save(tmp_path / "gate", gate_settings.GateSettings(registry.address, key))
        with Gate.open(tmp_path / "gate", clock=clock) as gate:
            first = registry.send(SIGNALS[0])
            assert (first["state"], first["received_at"]) == ("received", start)
            second = registry.send(SIGNALS[1])
            assert gate.sync().added == 0
            registry.settle()
            signals = len(SIGNALS[0]) + len(SIGNALS[1])
            assert gate.sync().added == signals
            _others_are_told(registry, key, signals)
            assert _fresh(tmp_path, registry, key, monkeypatch) == signals
            decision = gate.check(FILES[0])
            assert decision.action is Action.BLOCK
            seen = clock.pass_time(QUIET_SECONDS)
            gate.feedback(decision, Verdict.BLOCKED)
            gate.sync()
            status = registry.case(first["number"]).json()
            assert (status["state"], status["platforms"]) == ("active", 1)
            assert status["pictures"][0]["blocked"] == 1
            assert status["pictures"][0]["first_blocked_at"] == seen
            assert status["expires_at"] == moment(int(Clock(start).now) + EXPIRE * DAY_SECONDS)

            ended = clock.pass_time(1)
            assert registry.withdraw(second["number"])["withdrawn_at"] == ended
            registry.settle()
            assert gate.sync().removed == len(SIGNALS[1])
            assert gate.check(FILES[1]).action is Action.ALLOW
            _restored(tmp_path, new_database, database)

            clock.pass_time(EXPIRE * DAY_SECONDS)
            registry.retain()
            assert registry.case(first["number"]).json()["state"] == "expired"
            registry.settle()
            assert gate.sync().removed == len(SIGNALS[0])
            assert gate.check(FILES[0]).action is Action.ALLOW
            clock.pass_time(KEEP * DAY_SECONDS)
            registry.retain()
            assert registry.case(first["number"]).status_code == 404
            assert gate.sync().checkpoint == 2 * signals
            assert gate.warning() is None
        assert _fresh(tmp_path, registry, key, monkeypatch) == 0
        _restored(tmp_path, new_database, database)


def _fresh(folder: Path, registry: Here, key: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The numbers of entries in two new gates: one that reads the feed, and one that imports the snapshot."""
    held = []
    for place, start in enumerate((snapshot_import.MIN_SNAPSHOT_LINES, 0)):
        home = folder / f"fresh-{place}-{int(registry.clock())}"
        gate_settings.save(home, gate_settings.GateSettings(registry.address, key))
        with monkeypatch.context() as changed, Gate.open(home, clock=registry.clock) as gate:
            changed.setattr(snapshot_import, "MIN_SNAPSHOT_LINES", start)
            gate.sync()
            held.append(sum(gate.status().entries.values()))
    assert held[0] == held[1]
    return held[0]


def _others_are_told(registry: Here, key: str, signals: int) -> None:
    """Clients of other protocols get the same entries, with the clock's times."""
    came = int(registry.clock()) - 1  # `settle` lets a second pass after it
    query = {"from": "1970-01-01T00:00:00Z", "to": moment(int(registry.clock()))}
    told = registry.http.get("/ncmec/v2/entries", params=query, auth=("anybody", key))
    assert told.status_code == 200, told.text
    assert f"<timestamp>{moment(came)}</timestamp>" in told.text
    fetched = registry.http.get("/stopncii/v1/FetchHashes", headers={"Ocp-Apim-Subscription-Key": key}).json()
    assert {one["lastModtimestamp"] for one in fetched["hashRecords"]} == {came}
    lines = registry.http.get("/v1/feed?after=0", headers={"Authorization": f"Bearer {key}"}).json()["entries"]
    assert [one["since"] for one in lines] == [moment(came)[:10]] * signals


def _restored(folder: Path, new_database: Callable[[], Path | str], database: Path | str) -> None:
    """A backup restored into an empty database gives the same verification."""
    source, target = open_database(database), open_database(new_database())
    written = backup.write(source, folder / "backup.gz")
    assert backup.read(target, folder / "backup.gz") == written
    source.dispose()
    target.dispose()
