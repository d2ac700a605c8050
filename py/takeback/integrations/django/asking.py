"""The checker of each process, opened at its first upload, and feedback that delays no answer."""

import logging
import os
from threading import BoundedSemaphore, Lock, Thread
from typing import IO, Any, Final

from takeback.errors import GateError, TakebackError
from takeback.integrations.checker import Checked, UploadChecker, WhenUndecided, open_checker
from takeback.integrations.django.settings import NAME, DjangoSettings, read_settings
from takeback.protocol import Action, Verdict

REPORT_SECONDS: Final = 2.0
"""For which an answer waits for its feedback to be sent, so that a short-lived process sends it too."""
WAITING_REPORTS: Final = 8
"""Reports that may wait for a service that does not answer; further ones are dropped and logged."""
_LOG: Final = logging.getLogger("takeback")


class _Process:
    """What this process holds."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.reports = BoundedSemaphore(WAITING_REPORTS)
        self.checker: UploadChecker | None = None
        self.settings: DjangoSettings | None = None


_HERE: Final = _Process()
# A child neither uses nor closes what its parent opened: connections and processes are the parent's.
os.register_at_fork(after_in_child=_HERE.__init__)  # type: ignore[misc]


def site_settings() -> DjangoSettings:
    """Returns the settings, read once. Raises `SettingsError`."""
    if _HERE.settings is None:
        _HERE.settings = read_settings()
    return _HERE.settings


def checker() -> UploadChecker:
    """Returns this process's checker. Raises `SettingsError` and `GateError`."""
    with _HERE.lock:
        if _HERE.checker is None:
            _HERE.checker = open_checker(site_settings().asked)
        return _HERE.checker


def check(file: IO[bytes], given: str) -> Checked:
    """Decides on an upload, whose media type is `given`. Raises `SettingsError` and `PictureError`."""
    try:
        checked = checker().check(file, given=given)
    except GateError as error:  # a folder whose state cannot be read
        is_held = site_settings().asked.when_away == WhenUndecided.HOLD
        action = Action.REVIEW if is_held else Action.ALLOW
        checked = Checked(action, is_checked=False, why=f"not checked: {error}")
    if not checked.is_checked:
        _LOG.warning("%s", checked.why)
    return checked


def report(checked: Checked) -> None:
    """Reports a blocked upload if the site wants that. Returns after `REPORT_SECONDS` at the latest."""
    if not site_settings().report:
        return
    whom = checker()
    if not _HERE.reports.acquire(blocking=False):
        _LOG.warning("a blocked upload is not reported: others wait for an answer")
        return
    # A daemon: whoever does not answer keeps no process from ending.
    thread = Thread(target=_send, args=(whom, checked), name="takeback report", daemon=True)
    thread.start()
    thread.join(REPORT_SECONDS)


def _send(whom: UploadChecker, checked: Checked) -> None:
    try:
        whom.feedback(checked, Verdict.BLOCKED)
    except TakebackError as error:
        _LOG.warning("a blocked upload is not reported: %s", error)
    finally:
        _HERE.reports.release()


def close_after_change(*, setting: str, **_: Any) -> None:
    """Closes the checker when a test changes the settings, so that the next upload reads them."""
    if setting == NAME:
        with _HERE.lock:
            if _HERE.checker is not None:
                _HERE.checker.close()
            _HERE.checker = _HERE.settings = None
