from pathlib import Path

import msgspec
import pytest

from takeback.gate import Gate
from takeback.lookup import messages
from takeback.lookup.messages import ExactAnswer
from takeback.lookup.service.exact import SUFFIXES_STEP
from takeback.signals import Signal, SignalType
from tests.gate.servers import Registry, followed
from tests.lookup.services import EXACT, PDQ, Service, ask, running_service, until


def test_exact_hashes_are_compared_by_the_site(service: Service) -> None:
    """A prefix gives the listed suffix among decoys, which stay the same, and which no one can tell from it."""
    first, again = (service.http.get(messages.EXACT + EXACT[:5]) for _ in range(2))
    read = [msgspec.json.decode(answer.content, type=ExactAnswer).suffixes for answer in (first, again)]
    suffixes = [[one.suffix for one in list_] for list_ in read]
    assert suffixes[0] == suffixes[1] == sorted(suffixes[0])
    assert len(suffixes[0]) == SUFFIXES_STEP
    assert EXACT[5:] in suffixes[0]
    assert {one.decision for one in read[0]} == {"block"}
    assert len({len(one.id) for one in read[0]}) == 1
    elsewhere = msgspec.json.decode(service.http.get(messages.EXACT + "00000").content, type=ExactAnswer)
    assert len(elsewhere.suffixes) == SUFFIXES_STEP


def test_many_hashes_of_one_prefix(registry: Registry, home: Path) -> None:
    """Sixteen listed hashes with one prefix are all in the list, whose length is a multiple of 16 as always."""
    values = [f"abcde{number:059x}" for number in range(SUFFIXES_STEP)]
    for value in values:
        registry.log.add(Signal(SignalType.SHA256, value))
    followed(registry, home)
    with running_service(home) as service:
        suffixes = [one["suffix"] for one in service.http.get(messages.EXACT + "abcde").json()["suffixes"]]
    assert len(suffixes) == 2 * SUFFIXES_STEP
    assert {value[5:] for value in values} <= set(suffixes)


def test_a_withdrawn_hash_is_in_no_list(service: Service, registry: Registry, home: Path) -> None:
    """After a withdrawal the suffix is gone, and a decoy is there instead."""
    for entry in list(registry.log.active):
        registry.log.remove(entry)
    with Gate.open(home) as gate:
        gate.sync()
    until(lambda: EXACT[5:] not in service.http.get(messages.EXACT + EXACT[:5]).text)
    assert len(service.http.get(messages.EXACT + EXACT[:5]).json()["suffixes"]) == SUFFIXES_STEP
    assert ask(service, PDQ).json()["decision"] == "allow"


@pytest.mark.parametrize("prefix", ["", "0000", "000000", "ABCDE", "ghijk", "..%2f0"])
def test_a_prefix_has_five_digits(service: Service, prefix: str) -> None:
    """Anything but five lowercase hex digits is refused."""
    assert service.http.get(messages.EXACT + prefix).status_code in {400, 404}
