from pathlib import Path

import pytest

from takeback.errors import SettingsError
from takeback.gate.settings import KEY_VARIABLE, GateSettings, load, save
from tests.gate.feeds import KEY

OTHER = KEY.replace("5", "6")


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the key from the environment."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.mark.parametrize(
    "address",
    ["https://registry.example", "https://registry.example:8443/under", "http://127.0.0.1:8000", "http://[::1]:1"],
)
def test_round_trip(tmp_path: Path, address: str) -> None:
    """Saved settings are loaded, and only their owner can read them."""
    path = save(tmp_path / "new" / "gate", GateSettings(address, KEY))
    assert load(tmp_path / "new" / "gate") == GateSettings(address, KEY)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_new_key(tmp_path: Path) -> None:
    """Saving again replaces the key, and the environment's key overrides it."""
    save(tmp_path, GateSettings("https://registry.example", KEY))
    save(tmp_path, GateSettings("https://registry.example", OTHER))
    assert load(tmp_path).key == OTHER


def test_key_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key may be given only in the environment."""
    (tmp_path / "gate.toml").write_text('registry = "https://registry.example"\n')
    with pytest.raises(SettingsError, match="platform key is malformed"):
        load(tmp_path)
    monkeypatch.setenv(KEY_VARIABLE, OTHER)
    assert load(tmp_path).key == OTHER


@pytest.mark.parametrize(
    "address",
    [
        "registry.example", "ftp://registry.example", "https://", "https://[", "https://h:port", 'https://h/"', "https://h/\n",
        "http://registry.example", "http://10.0.0.1", "https://user:word@h", "https://h/?a=1", "https://h/#a",
    ],
)  # fmt: skip
def test_refused_addresses(address: str) -> None:
    """A malformed address, or one over which the key could be read, is refused."""
    with pytest.raises(SettingsError):
        GateSettings(address, KEY)


@pytest.mark.parametrize("key", ["", "tbk_1", KEY[:-1], KEY + "0", KEY.upper(), KEY + "\n"])
def test_refused_keys(key: str) -> None:
    """A malformed key is refused, and not repeated in the error."""
    with pytest.raises(SettingsError) as caught:
        GateSettings("https://h", key)
    assert not key.strip() or key.strip() not in str(caught.value)


def test_key_is_not_shown() -> None:
    """Settings that are printed do not show the key."""
    assert KEY not in repr(GateSettings("https://h", KEY))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("registry = ", "cannot be read"),
        ("\xff", "cannot be read"),
        ('registry = "https://h"\nkey = 1', "only the strings `registry` and `key`"),
        ('registry = "https://h"\ncolour = "red"', "only the strings `registry` and `key`"),
        ('key = "x"', "does not name the registry"),
    ],
)
def test_refused_files(tmp_path: Path, text: str, complaint: str) -> None:
    """A file that cannot be used is named, with the cause."""
    (tmp_path / "gate.toml").write_text(text, "latin-1")
    with pytest.raises(SettingsError, match=rf"gate\.toml .*{complaint}"):
        load(tmp_path)


def test_no_file(tmp_path: Path) -> None:
    """A folder without settings is an error that says how to create them."""
    with pytest.raises(SettingsError, match="takeback gate init"):
        load(tmp_path)


def test_no_place(tmp_path: Path) -> None:
    """A folder that cannot be created is an error."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be written"):
        save(tmp_path / "file" / "gate", GateSettings("https://h", KEY))
