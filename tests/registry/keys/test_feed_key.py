"""Rotation of the feed key: interrupted at any step, concurrent, and beside first starts."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from takeback import chain
from takeback.errors import SettingsError
from takeback.registry.data import open_pin_key
from takeback.registry.keys import feed_signing
from takeback.registry.keys.feed_signing import Signer, check_newest, public_keys, read_key, rotate
from takeback.registry.operations.integrity import prove_keys
from takeback.registry.security import credentials
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import WRITES, open_database
from tests.registry.conftest import NewDatabase
from tests.registry.support import command, serving

type Fault = Callable[[pytest.MonkeyPatch, Engine], None]


class Cut(BaseException):
    """Stands for the death of the process."""


@pytest.fixture
def engine(new_database: NewDatabase) -> Iterator[Engine]:
    """An empty registry."""
    opened = open_database(new_database())
    yield opened
    opened.dispose()


@pytest.fixture
def key(engine: Engine, tmp_path: Path) -> Path:
    """The file of the first feed key."""
    path = tmp_path / "keys" / "feed.key"
    Signer(engine, path)
    return path


def proved(engine: Engine, path: Path, pinned: str) -> str:
    """The newest key that a gate trusts after it `pinned` a key; `registry check` passes too."""
    keys = public_keys(engine)
    prove_keys(keys)
    check_newest(path, keys)
    return chain.follow_key(pinned, chain.public_hex(read_key(path)), keys)


def cut(module: object, name: str, *, before: bool) -> Fault:
    """The process ends before or after a step."""

    def arm(patch: pytest.MonkeyPatch, _: Engine) -> None:
        whole = getattr(module, name)

        def step(*args: Any, **more: Any) -> Any:
            if not before:
                whole(*args, **more)
            raise Cut

        patch.setattr(module, name, step)

    return arm


def cut_at_commit(patch: pytest.MonkeyPatch, engine: Engine) -> None:
    """The process ends when it would commit."""
    del patch

    def die(_: object) -> None:
        event.remove(engine, "commit", die)
        raise Cut

    event.listen(engine, "commit", die)


def cut_after_commit(patch: pytest.MonkeyPatch, engine: Engine) -> None:
    """The process ends right after it has committed."""
    del engine
    whole, times = feed_signing._finish, list[str]()

    def second(path: Path, newest: str) -> None:
        times.append(newest)
        if len(times) == 2:
            raise Cut
        whole(path, newest)

    patch.setattr(feed_signing, "_finish", second)


FAULTS: dict[str, Fault] = {
    "before the next key is written": cut(feed_signing, "write_secret", before=True),
    "while it is written": cut(os, "fsync", before=True),
    "once it is written, before it has its name": cut(credentials, "_draft", before=False),
    "after it is written": cut(feed_signing, "write_secret", before=False),
    "before the commit": cut_at_commit,
    "after the commit": cut_after_commit,
    "before the new key is in place": cut(Path, "replace", before=True),
    "after the new key is in place": cut(feed_signing, "sync_folder", before=False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rotation_that_is_cut_short_is_repaired_by_the_next(
    engine: Engine, key: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an interruption at any step the registry starts, and every gate trusts the key of the next rotation."""
    pinned = chain.public_hex(read_key(key))
    with monkeypatch.context() as patch:
        FAULTS[fault](patch, engine)
        with pytest.raises(Cut):
            rotate(engine, key)
    signed_with = chain.public_hex(Signer(engine, key)._key)
    assert chain.follow_key(pinned, signed_with, public_keys(engine)) == signed_with
    made = rotate(engine, key)
    assert proved(engine, key, pinned) == made.key
    assert proved(engine, key, signed_with) == made.key
    assert not key.with_name("feed.key.next").exists()


def test_a_key_that_is_not_the_newest_signs_no_new_one(engine: Engine, key: Path) -> None:
    """With an older key in the file a rotation is refused and changes nothing; with `--lost` it succeeds."""
    older = key.read_bytes()
    rotate(engine, key)
    key.write_bytes(older)
    before = public_keys(engine)
    with pytest.raises(SettingsError, match=r"is not the newest feed key .* --lost"):
        rotate(engine, key)
    with pytest.raises(SettingsError, match="is not the newest feed key"):
        check_newest(key, before)
    assert public_keys(engine) == before
    made = rotate(engine, key, lost=True)
    prove_keys(public_keys(engine))
    assert (made.signature, chain.public_hex(read_key(key))) == (None, made.key)


def test_check_proves_the_succession(engine: Engine, key: Path) -> None:
    """A key in the database that its predecessor did not sign is found, and so is a missing first key."""
    rotate(engine, key)
    rotate(engine, key)
    keys = public_keys(engine)
    prove_keys(keys)
    for broken, complaint in (
        ([keys[0], keys[2]], "feed key 2 is not signed by its predecessor"),
        (keys[1:], "the first feed key is missing"),
    ):
        with pytest.raises(SettingsError, match=complaint):
            prove_keys(broken)


def test_two_rotations_at_once(engine: Engine, key: Path) -> None:
    """Concurrent rotations run one after the other: each key is signed by its predecessor."""
    pinned = chain.public_hex(read_key(key))
    with ThreadPoolExecutor(8) as threads:
        made = {one.key for one in threads.map(lambda _: rotate(engine, key), range(8))}
    assert made == {one.key for one in public_keys(engine)[1:]}
    assert proved(engine, key, pinned) in made


def test_first_starts_at_once(engine: Engine, tmp_path: Path) -> None:
    """If several processes start first, one makes the keys and the others use them."""
    folder = tmp_path / "keys"

    def start(_: int) -> tuple[bytes, str]:
        return open_pin_key(engine, folder / "pin.key").secret, chain.public_hex(
            Signer(engine, folder / "feed.key")._key
        )

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(start, range(8)))) == 1
    assert len(public_keys(engine)) == 1
    assert {path.name for path in folder.iterdir()} == {"pin.key", "feed.key"}


def test_a_running_registry_takes_no_key_that_is_not_its_own(engine: Engine, key: Path) -> None:
    """With an incomplete file or another registry's key the old key stays in use until the right file is there."""
    signer = Signer(engine, key)
    before = signer._key
    for wrong in (b"", b"x" * 32):
        key.write_bytes(wrong)
        os.utime(key, ns=(1, len(wrong)))
        signer._looked = -1e9
        signer._look()
        assert signer._key is before


def test_check_names_a_rotation_that_was_cut_short(tmp_path: Path) -> None:
    """`registry check` names the command to run in one line, and passes once it was run."""
    data = tmp_path / "var"
    with serving(data):
        pass
    (data / "keys" / "feed.key").rename(data / "keys" / "feed.key.next")
    refused = command("registry", "check", "--data", data)
    assert "takeback registry feed-key rotate" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert command("registry", "feed-key", "rotate", "--data", data).returncode == 0
    assert command("registry", "check", "--data", data).returncode == 0


def test_check_finds_a_changed_succession(tmp_path: Path) -> None:
    """`registry check` verifies the succession of keys in the database."""
    data = tmp_path / "var"
    with serving(data) as server:
        assert server.command("registry", "feed-key", "rotate").returncode == 0
    engine = open_database(data / "registry.sqlite")
    with engine.execution_options(**WRITES).begin() as connection:
        connection.execute(t.feed_keys.update().where(t.feed_keys.c.number == 2).values(signature="00" * 64))
    engine.dispose()
    assert "is not signed by its predecessor" in command("registry", "check", "--data", data).stderr
