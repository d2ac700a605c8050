"""The look-up service in this process on a free loopback port, over a gate that followed a registry."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
import msgspec

from takeback.hashing import hash_picture
from takeback.lookup import messages
from takeback.lookup.service.app import create_app
from takeback.lookup.service.sites import DEFAULT_QUOTA, Sites
from takeback.signals import Signal, SignalType
from tests.gate.feeds import signal
from tests.gate.pictures import drawing, jpeg
from tests.gate.sidecar import answering

FILE = jpeg(drawing(1))
"""The picture that tests list."""
PDQ = hash_picture(FILE).signals[0]
EXACT = sha256(FILE).hexdigest()

type Json = dict[str, object]


def add_site(home: Path, name: str = "forum", quota: int = DEFAULT_QUOTA) -> str:
    """The key of a new site."""
    with closing(Sites(home)) as sites:
        return sites.add(name, quota)


@dataclass(frozen=True)
class Service:
    """A service that runs: its address, its gate's folder, the site's key, and a client that sends it."""

    address: str
    home: Path
    key: str
    http: httpx.Client


@contextmanager
def running_service(home: Path, quota: int = DEFAULT_QUOTA) -> Iterator[Service]:
    """A service over the gate in `home` with one site, `forum`."""
    key = add_site(home, quota=quota)
    with answering(create_app(str(home))) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield Service(str(client.base_url).rstrip("/"), home, key, client)


def question(*signals: Signal, **more: object) -> Json:
    """The question about an upload with these signals."""
    return {"signals": msgspec.to_builtins([one._asdict() for one in signals]), **more}


def other(seed: int) -> Signal:
    """A hash that is not listed."""
    return signal(1000 + seed)


def ask(service: Service, *signals: Signal, **more: object) -> httpx.Response:
    """The answer to a question of the service's site."""
    return service.http.post(messages.CHECK, json=question(*signals, **more))


def near(value: str, bits: range) -> Signal:
    """A PDQ that differs in these bits."""
    return Signal(SignalType.PDQ, f"{int(value, 16) ^ sum(1 << bit for bit in bits):064x}", 100)


def until(holds: Callable[[], object]) -> None:
    """Waits until something holds, ten seconds at most."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end


@contextmanager
def second_site(service: Service) -> Iterator[httpx.Client]:
    """The client of another site, which the running service knows already."""
    headers = {"Authorization": f"Bearer {add_site(service.home, 'second')}"}
    with httpx.Client(base_url=service.address, headers=headers, timeout=30) as client:
        until(lambda: client.get(messages.EXACT + "00000").status_code == 200)
        yield client
