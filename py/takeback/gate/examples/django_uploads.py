"""Django: a validator for any file field of a form or model. Needs TAKEBACK_GATE_HOME."""

from functools import cache

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse

from takeback.gate import Action, Gate

gate = cache(Gate.open)  # opened at the first upload, which comes after the server has forked


def validate_not_listed(upload: UploadedFile) -> None:
    """Raises `ValidationError` for a listed picture. Put it in `validators=[...]` of a FileField or an ImageField."""
    decision = gate().check(upload.read(), given=upload.content_type or "")
    upload.seek(0)
    if decision.action is Action.BLOCK:
        gate().feedback(decision, "blocked")
    if decision.action is not Action.ALLOW:
        raise ValidationError("This picture cannot be posted here.")


class UploadForm(forms.Form):
    """The form of an upload."""

    photo = forms.FileField(validators=[validate_not_listed])


def upload(request: HttpRequest) -> HttpResponse:
    """A view that stores uploads that the form accepts."""
    return HttpResponse(status=201 if UploadForm(request.POST, request.FILES).is_valid() else 422)
