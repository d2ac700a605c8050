import stat
from pathlib import Path

import pytest

from takeback.errors import NotAPlatform, SettingsError, TooManyGuesses
from takeback.registry.security import credentials
from takeback.registry.security.credentials import PinGuessLimit, PinKey, PlatformKey, load_pin_key
from tests.registry.support import command, md5, serving


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


def test_guesses_start_again_after_the_window() -> None:
    """A number that was guessed at 10 times is refused for 15 minutes, told how long, and then may be tried again."""
    clock = Clock()
    guesses = PinGuessLimit(clock)
    for _ in range(10):
        guesses.count("1", "8.8.4.0/24")
    clock.now += 60
    with pytest.raises(TooManyGuesses) as refused:
        guesses.count("1", "8.8.4.0/24")
    guesses.count("2", "8.8.4.0/24")
    clock.now += 14 * 60
    guesses.count("1", "8.8.4.0/24")

    assert 14 * 60 <= refused.value.retry_after <= 14 * 60 + 1


def test_guesses_are_counted_where_they_come_from() -> None:
    """One network's wrong PINs are nobody else's, and nothing that is counted by is a network."""
    guesses = PinGuessLimit(Clock())
    for _ in range(10):
        guesses.count("1", "8.8.4.0/24")
    for network in ("9.9.9.0/24", "2606:4700:1::/48", None):
        guesses.count("1", network)
    with pytest.raises(TooManyGuesses):
        guesses.count("1", "8.8.4.0/24")
    assert "8.8.4" not in repr(vars(guesses._here))


def test_a_thousand_a_day_from_everywhere() -> None:
    """Whoever has many networks has a thousand guesses a day at a case; another case and another day have their own."""
    clock = Clock()
    guesses = PinGuessLimit(clock)
    for place in range(1000):
        guesses.count("1", f"2606:4700:{place:x}::/48")
    with pytest.raises(TooManyGuesses) as refused:
        guesses.count("1", "9.9.9.0/24")
    guesses.count("2", "9.9.9.0/24")
    clock.now += 24 * 60 * 60
    guesses.count("1", "9.9.9.0/24")

    assert 24 * 60 * 60 <= refused.value.retry_after <= 24 * 60 * 60 + 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many numbers are guessed at from however many networks, only so many are counted, and none is refused."""
    monkeypatch.setattr(credentials, "MAX_WATCHED", 10)
    clock = Clock()
    guesses = PinGuessLimit(clock)
    for number in range(100):
        guesses.count(str(number), f"2606:4700:{number:x}::/48")
    assert (len(guesses._here._counts), len(guesses._all._counts)) == (10, 10)
    clock.now += 15 * 60
    guesses.count("1", None)
    assert len(guesses._here._counts) == 1, "what is over is forgotten"


def test_what_is_kept_of_a_pin_needs_the_key() -> None:
    """What is kept of a PIN differs by key and by purpose, and does not contain the PIN."""
    one, two = PinKey(b"1" * 32), PinKey(b"2" * 32)
    pin = "K7QM-2XRW-9DHF"

    assert len({one.pin(pin), two.pin(pin), one.message(pin, b""), one.mark()}) == 4
    assert pin.encode() not in one.pin(pin)
    assert "1" * 8 not in repr(one)


def test_platform_keys_round_trip() -> None:
    """A new key is read back from the header it is used in; anything else is refused."""
    key = PlatformKey.new()

    assert PlatformKey.from_header(f"Bearer {key.text()}") == key
    assert PlatformKey.from_header(f"bearer  {key.text()}") == key
    for wrong in (key.text(), f"Bearer {key.text()}x", f"Bearer {key.text().upper()}", ""):
        with pytest.raises(NotAPlatform):
            PlatformKey.from_header(wrong)


def test_the_pin_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The PIN key is made at the first start, readable by its owner alone, and stays the same."""
    path = tmp_path / "keys" / "pin.key"
    made = load_pin_key(path, None)

    assert load_pin_key(path, made.mark()) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_missing_wrong_or_open_pin_key_stops_the_start(tmp_path: Path) -> None:
    """A registry never goes on with a key that cannot open its cases, or that others may read."""
    path = tmp_path / "pin.key"
    made = load_pin_key(path, None)
    with pytest.raises(SettingsError, match="not the PIN key of this database"):
        load_pin_key(path, PinKey(b"x" * 32).mark())
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_pin_key(path, made.mark())
    path.unlink()
    with pytest.raises(SettingsError, match="missing"):
        load_pin_key(path, made.mark())
    assert not path.exists()


def test_the_database_alone_opens_no_case(tmp_path: Path) -> None:
    """Started without the PIN key that its cases were made under, the registry says so and makes no other."""
    data = tmp_path / "var"
    with serving(data) as server:
        number = server.submit([md5()]).json()["number"]
    key = data / "keys" / "pin.key"
    moved = key.rename(tmp_path / "elsewhere")
    refused = command("registry", "serve", "--data", data, "--port", 0)
    moved.rename(key)

    assert refused.returncode == 2
    assert "restore it from your backup" in refused.stderr
    with serving(data) as server:
        assert server.case(number).status_code == 200


def test_no_secret_is_in_the_database(tmp_path: Path) -> None:
    """Neither the PIN, nor an idempotency key, nor a platform's secret stands in any file of the database."""
    data = tmp_path / "var"
    with serving(data) as server:
        server.submit([md5()], key="ab" * 16)
        platform = server.platform("Example Photos")
        platform.page()
        kept = b"".join(path.read_bytes() for path in data.glob("registry.sqlite*"))
    secret = platform.key.rsplit("_", 1)[1]

    for plain in ("K7QM-2XRW-9DHF", "K7QM2XRW9DHF", "ab" * 16, secret):
        assert plain.encode() not in kept
    assert bytes.fromhex(secret) not in kept
    assert bytes.fromhex("ab" * 16) not in kept
