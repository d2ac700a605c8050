"""How TAKEBACK is read, whatever it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.integrations.checker import CheckerSettings
from takeback.integrations.django.settings import TEXTS, DjangoReview, DjangoSettings, parse_settings

VALUES = st.one_of(st.text(max_size=6), st.booleans(), st.integers(), st.none(), st.lists(st.text(), max_size=2))
NAMES = st.sampled_from(["sidecar", "home", "lookup", "key", "token", "when_away", "review", "report", "texts", "x"])


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the environment names anybody."""
    for name in ("SIDECAR", "GATE_HOME", "GATE_TOKEN", "LOOKUP", "LOOKUP_KEY", "WHEN_AWAY"):
        monkeypatch.delenv(f"TAKEBACK_{name}", raising=False)


def test_what_is_left_out() -> None:
    """Without a word of the site, reviews are refused, uploads are held, and nothing is reported."""
    found = parse_settings({"sidecar": "http://127.0.0.1:8080"})
    assert found == DjangoSettings(
        CheckerSettings("http://127.0.0.1:8080"), DjangoReview.REFUSE, report=False, texts=TEXTS
    )
    assert found.asked.when_away == "hold"


def test_one_text_is_changed() -> None:
    """A site that changes one text keeps the others, and may give any object, such as a lazy translation."""
    lazy = object()
    assert parse_settings({"texts": {"listed": lazy}}).texts == {**TEXTS, "listed": lazy}


def test_the_environment_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom TAKEBACK names is asked instead of whom the environment names, with the key that the environment has."""
    monkeypatch.setenv("TAKEBACK_GATE_HOME", "/folder")
    monkeypatch.setenv("TAKEBACK_LOOKUP_KEY", "a key")
    monkeypatch.setenv("TAKEBACK_WHEN_AWAY", "allow")
    assert parse_settings({}).asked == CheckerSettings(home="/folder", key="a key", when_away="allow")
    found = parse_settings({"lookup": "https://lookup.example", "when_away": "hold"}).asked
    assert found == CheckerSettings(lookup="https://lookup.example", key="a key", when_away="hold")


@given(
    st.one_of(VALUES, st.dictionaries(st.one_of(NAMES, VALUES.filter(lambda one: not isinstance(one, list))), VALUES))
)
def test_any_settings(values: object) -> None:
    """Whatever TAKEBACK holds, it is read or refused with our error."""
    try:
        assert isinstance(parse_settings(values), DjangoSettings)
    except SettingsError as error:
        assert str(error)
