from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.integrations.checker import CheckerSettings
from takeback.integrations.synapse.settings import ModuleSettings, OnReview

SIDECAR = "http://127.0.0.1:8080"


def test_what_is_not_set() -> None:
    """With an address alone, what is in doubt is refused, and nothing is reported."""
    settings = ModuleSettings.of({"sidecar": SIDECAR})
    assert settings == ModuleSettings(CheckerSettings(SIDECAR), OnReview.HOLD, OnReview.HOLD, 64, 8, report=False)
    assert settings.checker.when_away == "hold"


def test_everything_is_set(tmp_path: Path) -> None:
    """A key in a file is read without its line end, and neither a key nor a token shows in the settings' text."""
    (tmp_path / "key").write_text("secret\n")
    more = {"review": "pass", "large": "pass", "max_megabytes": 384, "threads": 1, "report": True}
    settings = ModuleSettings.of(
        {"lookup": "https://x", "key_file": str(tmp_path / "key"), "when_away": "allow", **more}
    )
    assert settings.checker == CheckerSettings(lookup="https://x", key="secret", when_away="allow")
    assert (settings.review, settings.large, settings.report) == (OnReview.PASS, OnReview.PASS, True)
    assert (settings.max_megabytes, settings.threads) == (384, 1)
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"review": "allow"}, "review must be one of hold, pass"),
        ({"large": 3}, "large must be one of hold, pass"),
        ({"report": "yes"}, "report must be true or false"),
        ({"threads": 0}, "threads must be a whole number from 1 to 64"),
        ({"threads": True}, "threads must be a whole number"),
        ({"max_megabytes": 385}, "max_megabytes must be a whole number from 1 to 384"),
        ({"home": "/gate"}, "set exactly one of sidecar, home, lookup"),
        ({"token": "a", "token_file": "b"}, "set token or token_file, not both"),
        ({"token_file": 1}, "token_file must be the path of a file"),
        ({"token_file": "/"}, "token_file cannot be read: Is a directory"),
        ({"token_file": "EMPTY"}, "token_file is empty"),
        ({"token_file": "WRONG"}, "token_file cannot be read: it is not plain text"),
        ({"token": 1}, "token must be text"),
        ({"other": 1}, "unknown setting other: expected sidecar, token, home,"),
    ],
)
def test_what_is_wrong_is_told(values: dict[str, object], said: str, tmp_path: Path) -> None:
    """Each setting that cannot be used is named, with what it may be."""
    (tmp_path / "EMPTY").write_text("\n")
    (tmp_path / "WRONG").write_bytes(b"\xff\x00")
    file = values.get("token_file")
    if isinstance(file, str) and file.isupper():
        values = {**values, "token_file": str(tmp_path / file)}
    with pytest.raises(SettingsError, match=said):
        ModuleSettings.of({"sidecar": SIDECAR, **values})


NAMES = ["sidecar", "token", "token_file", "key_file", "review", "threads", "report", "when_away"]


@given(st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=5)), st.one_of(st.text(), st.integers())))
def test_any_settings(values: dict[str, object]) -> None:
    """Whatever homeserver.yaml holds there, it is read or refused with our error."""
    try:
        ModuleSettings.of({"sidecar": SIDECAR, **values})
    except SettingsError as error:
        assert str(error)
