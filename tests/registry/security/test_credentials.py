import stat
from pathlib import Path

import pytest

from takeback.errors import NotAPlatform, SettingsError, TooManyGuesses
from takeback.registry.security import credentials
from takeback.registry.security.credentials import PinGuessLimit, PinKey, PlatformKey, load_pin_key
from tests.registry.support import command, md5, serving


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


def test_guesses_start_again_after_the_window() -> None:
    """After 10 wrong PINs a case number is refused for 15 minutes, with the time to wait, and then allowed again."""
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
    """Wrong PINs are counted for each network by itself, and no network is stored."""
    guesses = PinGuessLimit(Clock())
    for _ in range(10):
        guesses.count("1", "8.8.4.0/24")
    for network in ("9.9.9.0/24", "2606:4700:1::/48", None):
        guesses.count("1", network)
    with pytest.raises(TooManyGuesses):
        guesses.count("1", "8.8.4.0/24")
    assert "8.8.4" not in repr(vars(guesses._here))


def test_a_thousand_a_day_from_everywhere() -> None:
    """All networks together have a thousand guesses a day for a case; each case and each day is counted by itself."""
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
    """The number of counted keys is bounded, and a key beyond it is not refused."""
    monkeypatch.setattr(credentials, "MAX_WATCHED_KEYS", 10)
    clock = Clock()
    guesses = PinGuessLimit(clock)
    for number in range(100):
        guesses.count(str(number), f"2606:4700:{number:x}::/48")
    assert (len(guesses._here._counts), len(guesses._all._counts)) == (10, 10)
    clock.now += 15 * 60
    guesses.count("1", None)
    assert len(guesses._here._counts) == 1, "what is over is forgotten"


def test_what_is_kept_of_a_pin_needs_the_key() -> None:
    """The stored form of a PIN differs by key and purpose, and does not contain the PIN."""
    one, two = PinKey(b"1" * 32), PinKey(b"2" * 32)
    pin = "K7QM-2XRW-9DHF"

    assert len({one.pin(pin), two.pin(pin), one.message(pin, b""), one.mark()}) == 4
    assert pin.encode() not in one.pin(pin)
    assert "1" * 8 not in repr(one)


def test_platform_keys_round_trip() -> None:
    """A new key is read back from its header; anything else is refused."""
    key = PlatformKey.new()

    assert PlatformKey.from_header(f"Bearer {key.text()}") == key
    assert PlatformKey.from_header(f"bearer  {key.text()}") == key
    for wrong in (key.text(), f"Bearer {key.text()}x", f"Bearer {key.text().upper()}", ""):
        with pytest.raises(NotAPlatform):
            PlatformKey.from_header(wrong)


def test_the_pin_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The PIN key is made at the first start, readable only by its owner, and does not change."""
    path = tmp_path / "keys" / "pin.key"
    made = load_pin_key(path, None)

    assert load_pin_key(path, made.mark()) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_missing_wrong_or_open_pin_key_stops_the_start(tmp_path: Path) -> None:
    """A registry does not run with a key that cannot open its cases or that others may read."""
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
    """Started without the PIN key of its cases, the registry reports it and does not make another."""
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
    """No file of the database contains a PIN, an idempotency key or a platform's secret."""
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
