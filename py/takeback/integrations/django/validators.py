"""The validator for file fields of forms and models."""

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.dispatch import Signal

from takeback.errors import PictureError
from takeback.integrations.checker import Checked
from takeback.integrations.django import asking, signals
from takeback.integrations.django.settings import DjangoReview
from takeback.protocol import Action

_SIGNALS: Final = {Action.BLOCK: signals.blocked_upload, Action.REVIEW: signals.review_upload}


def validate_not_listed(upload: Any) -> None:
    """Raises `ValidationError` for an upload that may not be stored. Put it in `validators=[...]` of a file field.

    A file that is stored already passes, so that an object can be saved again without its file. Raises `SettingsError`
    if the settings cannot be used.
    """
    if getattr(upload, "_committed", False):  # how a FieldFile says that it is in its storage
        return
    try:
        checked = asking.check(upload, media_type(upload))
    except PictureError as error:  # it cannot be read: nobody can decide
        raise refusal("unchecked") from error
    announce(upload, checked)
    if checked.action is Action.BLOCK:
        asking.report(checked)
        raise refusal("listed")
    if not checked.is_checked and checked.action is not Action.ALLOW:
        raise refusal("unchecked")
    if checked.action is Action.REVIEW and asking.site_settings().review is DjangoReview.REFUSE:
        raise refusal("review")


def media_type(upload: Any) -> str:
    """Returns the media type that an upload came with, or nothing for a file of a storage."""
    file = upload.file if hasattr(upload, "instance") else upload
    return getattr(file, "content_type", None) or ""


def announce(upload: Any, checked: Checked) -> None:
    """Sends the signal of a decision, if it has one."""
    signal: Signal | None = _SIGNALS.get(checked.action) if checked.is_checked else signals.unchecked_upload
    if signal is not None:
        owner = getattr(upload, "instance", None)
        signal.send(sender=type(owner) if owner is not None else None, upload=upload, checked=checked)


def refusal(code: str) -> ValidationError:
    """Returns the error with this code and the site's text for it."""
    return ValidationError(asking.site_settings().texts[code], code=code)
