"""A gate believes only what the registry's key has signed, and knows by one link whether the whole feed is the same."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from takeback import chain
from takeback.errors import FeedBroken, RegistryUnreachable, TakebackError
from takeback.gate import Action, Gate
from takeback.gate.feed.client import HEAD_HEADER
from takeback.gate.settings import GateSettings, save
from takeback.protocol import EntryStatus, FeedAction, FeedEntry, FeedHead, FeedKey, FeedKeys, FeedPage, decode, encode
from tests.gate.feeds import KEY, Log, entry_id, signal
from tests.gate.servers import Answer, Registry, Request, running

OTHER = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
NEXT = Ed25519PrivateKey.from_private_bytes(b"2" * 32)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An honest registry of three entries."""
    with running() as started:
        for seed in range(3):
            started.log.add(signal(seed))
        yield started


@pytest.fixture
def gate(registry: Registry, tmp_path: Path) -> Iterator[Gate]:
    """A gate that has followed that registry once."""
    save(tmp_path / "gate", GateSettings(registry.url, KEY))
    with Gate.open(tmp_path / "gate") as opened:
        opened.sync()
        yield opened


def refused(gate: Gate, error: type[TakebackError], match: str) -> None:
    """The gate refuses to follow, and goes on deciding by what it knows."""
    before = gate.status()
    with pytest.raises(error, match=match):
        gate.sync()
    after = gate.status()
    assert (after.checkpoint, after.entries, after.feed_key) == (before.checkpoint, before.entries, before.feed_key)
    assert gate.check_signals([signal(0)]).action is Action.BLOCK
    assert (after.alarm is not None) == (error is FeedBroken)


def test_first_key_is_kept(registry: Registry, gate: Gate) -> None:
    """The first key that a gate sees is the only one it believes."""
    assert gate.status().feed_key == chain.public_hex(registry.keys[0])
    registry.keys = [OTHER]
    registry.log.add(signal(9))
    refused(gate, FeedBroken, "rule 6: the registry signs with the key")


def test_given_key(registry: Registry, gate: Gate) -> None:
    """A key that was given by hand is believed, and another is not."""
    gate.trust(chain.public_hex(OTHER))
    refused(gate, FeedBroken, "rule 6")
    registry.keys = [OTHER]
    gate.sync()
    assert gate.status().alarm is None


def test_rotation(registry: Registry, gate: Gate) -> None:
    """A gate goes along with a new key that the old one signed, over several of them at once too, and stays there."""
    registry.keys = [*registry.keys, OTHER, NEXT]
    registry.log.add(signal(9))
    assert gate.sync().added == 1
    assert gate.status().feed_key == chain.public_hex(NEXT)
    registry.keys = registry.keys[:2]
    registry.feed_keys = lambda: FeedKeys(  # type: ignore[method-assign]
        [
            FeedKey(chain.public_hex(registry.keys[0])),
            chain.sign_successor(registry.keys[0], OTHER),
            chain.sign_successor(OTHER, NEXT),
        ]
    )
    refused(gate, RegistryUnreachable, "replaced")


def test_a_successor_that_was_not_signed(registry: Registry, gate: Gate) -> None:
    """A new key that the known one did not sign is refused, whatever the registry's list of keys says."""
    first = FeedKey(chain.public_hex(registry.keys[0]))
    forged = FeedKey(chain.public_hex(OTHER), chain.sign_successor(NEXT, OTHER).signature)
    registry.keys = [OTHER]
    for keys in ([first, forged], [first, FeedKey(chain.public_hex(OTHER))], [forged], [first]):
        registry.feed_keys = lambda keys=keys: FeedKeys(keys)  # type: ignore[method-assign, misc]
        refused(gate, FeedBroken, "rule 6")


def lying(registry: Registry, lie: Callable[[Log], None]) -> None:
    """The registry forgets its feed for another one, under the same key."""
    log = Log()
    log.lines, log.active = list(registry.log.lines), dict(registry.log.active)
    lie(log)
    registry.log = log


def another_past(log: Log) -> None:
    """The first entry was another one."""
    first = log.lines[0]
    assert first.signal
    value = signal(77).value
    log.lines[0] = FeedEntry(1, first.action, first.entry, replace_value(first.signal, value))
    log.add(signal(9))


def reordered(log: Log) -> None:
    """Two entries of the past have changed places."""
    one, two = log.lines[1], log.lines[2]
    log.lines[1:3] = [renumbered(two, 2), renumbered(one, 3)]
    log.add(signal(9))


def shortened(log: Log) -> None:
    """The last entry never was."""
    log.lines.pop()


def cut_and_grown(log: Log) -> None:
    """The last entry never was, and others came."""
    log.lines.pop()
    log.add(signal(8))
    log.add(signal(9))


def renumbered(line: FeedEntry, number: int) -> FeedEntry:
    return FeedEntry(number, line.action, line.entry, line.signal)


def replace_value(one: Any, value: str) -> Any:
    return msgspec.structs.replace(one, value=value)


@pytest.mark.parametrize("lie", [another_past, reordered, shortened, cut_and_grown])
def test_another_feed_under_the_right_key(registry: Registry, gate: Gate, lie: Callable[[Log], None]) -> None:
    """A registry that signs another past than before is found out at the next sync."""
    lying(registry, lie)
    refused(gate, FeedBroken, "rule [25]")


def forge(page: FeedPage) -> FeedPage:
    """One more entry than the registry signed."""
    line = FeedEntry(4, FeedAction.REMOVE, page.entries[0].entry if page.entries else entry_id(1))
    return FeedPage([line], 4)


@pytest.mark.parametrize(
    "change",
    [
        lambda body, head: (encode(forge(decode(body, FeedPage))), head),
        lambda body, head: (body, msgspec.structs.replace(head, number=head.number + 1)),
        lambda body, head: (body, msgspec.structs.replace(head, newest=head.newest + 1)),
        lambda body, head: (body, msgspec.structs.replace(head, chain="0" * 64)),
        lambda body, head: (body, msgspec.structs.replace(head, at="2026-01-01T00:00:00Z")),
        lambda body, head: (body, msgspec.structs.replace(head, key=chain.public_hex(OTHER))),
        lambda body, head: (body, msgspec.structs.replace(head, signature="0" * 128)),
        lambda body, head: (body, msgspec.structs.replace(head, signature="")),
        lambda body, head: (body.replace(b'"head"', b' "head"'), head),
    ],
)
def test_tampered_on_the_way(
    registry: Registry, gate: Gate, change: Callable[[bytes, FeedHead], tuple[bytes, FeedHead]]
) -> None:
    """Whatever of an answer is changed on its way, the signature no longer fits."""

    def tamper(request: Request) -> Answer:
        honest = registry.honest(
            Request(request.method, request.path, request.query, {**request.headers, "if-none-match": ""}, b"")
        )
        assert isinstance(honest.body, bytes)
        body, head = change(honest.body, decode(honest.headers[HEAD_HEADER].encode(), FeedHead))
        return replace(honest, body=body, headers={HEAD_HEADER: encode(head).decode()})

    registry.answer = tamper
    refused(gate, FeedBroken, "rule 5: the answer does not match the registry's signature")


def test_not_signed(registry: Registry, gate: Gate) -> None:
    """An answer without a signature, or with one that cannot be read, is refused."""
    for header in ({}, {HEAD_HEADER: "{}"}, {HEAD_HEADER: "x" * 1000}):
        registry.answer = lambda _, header=header: Answer(b'{"entries":[],"head":3}', headers=header)  # type: ignore[misc]
        refused(gate, FeedBroken, "rule 5: the registry did not sign its answer")


def test_of_another_platform(registry: Registry, tmp_path: Path) -> None:
    """What was signed for one platform is refused by another."""
    other = f"tbk_{'b' * 16}_{'5' * 64}"
    save(tmp_path / "other", GateSettings(registry.url, other))
    registry.answer = lambda request: registry.signed(registry.log.page(request.query["after"]), request)
    with Gate.open(tmp_path / "other") as opened, pytest.raises(FeedBroken, match="rule 5"):
        opened.sync()


def test_kept_back(registry: Registry, gate: Gate) -> None:
    """An answer that was signed long ago is not taken for news: the feed counts as unread, and goes stale."""
    read = gate.status().age
    registry.answer = lambda request: registry.signed(registry.log.page(3), request, time.time() - 3600)
    refused(gate, RegistryUnreachable, "was signed at .*: it is too old, or a clock is wrong")
    assert read is not None


def test_idle_polls_are_conditional(registry: Registry, gate: Gate) -> None:
    """While nothing is new the registry answers without a body, signed all the same; what is new comes as before."""
    gate.sync()
    assert registry.requests[-1].headers["if-none-match"].startswith('W/"')
    registry.log.add(signal(9))
    assert gate.sync().added == 1
    assert gate.sync().added == 0


def test_an_alarm_ends(registry: Registry, gate: Gate) -> None:
    """Once the registry is itself again the gate follows on, and the alarm is over."""
    honest = registry.log
    lying(registry, shortened)
    refused(gate, FeedBroken, "rule 2")
    registry.log = honest
    gate.sync()
    assert gate.status().alarm is None


def test_every_action_is_in_the_chain(registry: Registry, gate: Gate) -> None:
    """Removals, changes and erased entries are covered like additions."""
    log = registry.log
    log.lines.append(FeedEntry(4, FeedAction.CHANGE, log.lines[1].entry, standing=EntryStatus.REVIEW))
    log.remove(log.lines[2].entry)
    log.lines.append(FeedEntry(6, FeedAction.ERASED, entry_id(6), leaf="e" * 64))
    log.lines.append(FeedEntry(7, FeedAction.REMOVE, entry_id(6)))
    assert gate.sync().checkpoint == 7
    for place in range(3, 7):
        assert log.link(place) != log.link(place + 1)
    log.lines[3] = FeedEntry(4, FeedAction.CHANGE, log.lines[0].entry, standing=EntryStatus.REVIEW)
    log.add(signal(9))
    refused(gate, FeedBroken, "rule 5: the feed up to number 8 is not the one")
