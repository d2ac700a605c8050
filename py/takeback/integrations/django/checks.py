"""What `manage.py check` says about the settings."""

from typing import Any, Final

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name for it

from takeback.errors import GateError, SettingsError
from takeback.integrations.checker import open_checker
from takeback.integrations.django.settings import NAME, read_settings

HINT: Final = f'Set {NAME} = {{"sidecar": "http://127.0.0.1:8080"}}, or what the guide of the app names.'


def check_settings(**_: Any) -> list[CheckMessage]:
    """Returns an error for settings that cannot be used, and a warning if nobody can decide now."""
    try:
        checker = open_checker(read_settings().asked)
    except SettingsError as error:
        return [Error(f"uploads cannot be checked: {error}", hint=HINT, id="takeback.E001")]
    except GateError as error:
        return [_trouble(str(error))]
    try:
        trouble = checker.trouble()
    finally:
        checker.close()
    return [_trouble(trouble)] if trouble else []


def _trouble(why: str) -> CheckMessage:
    hint = "Until this is mended, uploads are refused, or stored unchecked if when_away is allow."
    return Warning(f"uploads cannot be checked now: {why}", hint=hint, id="takeback.W001")
