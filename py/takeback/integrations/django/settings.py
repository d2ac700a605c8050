"""Reads `TAKEBACK` of a site's Django settings, and the environment for what it leaves out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Final

from django.conf import settings

from takeback.errors import SettingsError
from takeback.integrations.checker import CheckerSettings

NAME: Final = "TAKEBACK"
_ASKED: Final = ("sidecar", "home", "lookup")
_OF_CHECKER: Final = frozenset(one.name for one in fields(CheckerSettings))


class DjangoReview(StrEnum):
    """What becomes of an upload that asks for a review."""

    REFUSE = "refuse"
    ACCEPT = "accept"


TEXTS: Final[Mapping[str, object]] = {
    "listed": "This file cannot be posted here.",
    "review": "This file cannot be posted here.",
    "unchecked": "This file cannot be checked now. Try again later.",
}
"""What a person reads whose upload is refused, by the code of the error."""


@dataclass(frozen=True, slots=True)
class DjangoSettings:
    """What a site set: who is asked, what a review does, whether blocked uploads are reported, and the texts."""

    asked: CheckerSettings
    review: DjangoReview = DjangoReview.REFUSE
    report: bool = False
    texts: Mapping[str, object] = field(default_factory=lambda: TEXTS)


def read_settings() -> DjangoSettings:
    """Returns the site's settings. Raises `SettingsError`."""
    return parse_settings(getattr(settings, NAME, {}))


def parse_settings(values: object) -> DjangoSettings:
    """Returns the settings of a site whose TAKEBACK has these values. Raises `SettingsError`."""
    if not isinstance(values, Mapping):
        raise SettingsError(f"{NAME} must be a dict")
    own = {"review", "report", "texts"}
    unknown = sorted(str(name) for name in set(values) - own - _OF_CHECKER)
    if unknown:
        expected = ", ".join([*sorted(_OF_CHECKER), *sorted(own)])
        raise SettingsError(f"{NAME} has an unknown setting {unknown[0]}: expected {expected}")
    report = values.get("report", False)
    if not isinstance(report, bool):
        raise SettingsError("report must be True or False")
    try:
        review = DjangoReview(values.get("review", DjangoReview.REFUSE))
    except ValueError as error:
        raise SettingsError(f"review must be one of {', '.join(DjangoReview)}") from error
    return DjangoSettings(_asked(values), review, report, _texts(values.get("texts", {})))


def _asked(values: Mapping[str, object]) -> CheckerSettings:
    """Returns whom to ask. What the settings name replaces what the environment names; a key may stay there."""
    given = {name: value for name, value in values.items() if name in _OF_CHECKER}
    CheckerSettings.of(given)  # says which of them is not text
    around = CheckerSettings.from_environment()
    if any(given.get(name) for name in _ASKED):
        around = replace(around, **dict.fromkeys(_ASKED, ""))
    return replace(around, **given)  # type: ignore[arg-type]


def _texts(given: object) -> Mapping[str, object]:
    """Returns the texts with those that the site changed, which may be lazy translations."""
    if not isinstance(given, Mapping) or set(given) - set(TEXTS):
        raise SettingsError(f"texts must be a dict with texts for {', '.join(TEXTS)}")
    return {**TEXTS, **given}
