import re
from dataclasses import fields
from pathlib import Path

import pytest

from takeback.errors import SettingsError
from takeback.registry import settings
from takeback.registry.cli.commands import serve
from takeback.registry.settings import RegistrySettings, read_settings

README = Path(settings.__file__).with_name("README.md")


def documented() -> dict[str, tuple[str, str, str]]:
    """The README's table of settings: variable to option, default and meaning."""
    rows = re.findall(
        r"^\| `(TAKEBACK_\w+)` \| `(--[\w-]+)` \| (?:`([^`]*)`)? ?\| (.+) \|$", README.read_text(), re.MULTILINE
    )
    return {variable: (option, default, meaning) for variable, option, default, meaning in rows}


def test_every_setting_is_documented() -> None:
    """The README lists every setting with its option and its true default, and no other."""
    shown = {None: "", False: "0", (): ""}
    expected = {
        f"TAKEBACK_{setting.name.upper()}": (
            f"--{setting.name.replace('_', '-')}",
            shown.get(getattr(RegistrySettings(), setting.name), str(getattr(RegistrySettings(), setting.name))),
        )
        for setting in fields(RegistrySettings)
    }

    assert {variable: row[:2] for variable, row in documented().items()} == expected


def test_the_meanings_are_those_of_the_code() -> None:
    """The README describes each setting in the same words as the code."""
    source = Path(settings.__file__).read_text()
    for _, _, meaning in documented().values():
        assert f'"""{meaning}"""' in source


def test_every_setting_has_its_option() -> None:
    """`takeback registry serve` has an option for every setting, whose help names the variable."""
    options = {option.name: getattr(option, "help", "") for option in serve.params}

    assert options.keys() == {setting.name for setting in fields(RegistrySettings)}
    for name, text in options.items():
        assert f"TAKEBACK_{str(name).upper()}" in text


def test_options_win_over_variables() -> None:
    """A setting comes from its option, else from its variable, else from its default."""
    environ = {"TAKEBACK_PORT": "81", "TAKEBACK_DATA": "/srv", "TAKEBACK_TLS": "1", "TAKEBACK_KEYS": ""}

    read = read_settings(environ, port=82, page=None)

    assert read == RegistrySettings(data=Path("/srv"), port=82, tls=True)
    assert read.pin_key == Path("/srv/keys/pin.key")
    assert read_settings({"TAKEBACK_KEYS": "/safe"}).pin_key == Path("/safe/pin.key")
    assert read_settings({}) == RegistrySettings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TAKEBACK_PORT", "http"),
        ("TAKEBACK_PORT", "65536"),
        ("TAKEBACK_PORT", "-1"),
        ("TAKEBACK_TLS", "yes"),
        ("TAKEBACK_KEEP", "0"),
        ("TAKEBACK_MIX", "86401"),
    ],
)
def test_a_bad_value_is_named(variable: str, value: str) -> None:
    """An invalid value is refused with its variable and what it must be."""
    with pytest.raises(SettingsError, match=f"{variable} is '{value}'; it must be"):
        read_settings({variable: value})


def test_the_container_is_made_of_what_there_is() -> None:
    """The Containerfile sets only existing settings, and installs only the release's list for registries, by hash."""
    file = README.with_name("Containerfile").read_text()
    assert set(re.findall(r"(TAKEBACK_\w+)=", file)) <= set(documented())
    assert re.findall(r"^COPY (.+)$", file, re.MULTILINE) == ["takeback-*.whl takeback-*-registry.txt /release/"]
    installed = re.findall(r"pip install (.+?) &&", file)
    assert installed == ["--no-cache-dir --require-hashes --requirement takeback-*-registry.txt"]
