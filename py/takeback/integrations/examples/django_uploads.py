"""Django: a validator for any file field of a form or model. Needs TAKEBACK_GATE_HOME."""

from functools import cache

from django import forms
from django.apps import AppConfig
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse

from takeback.gate import Action, Gate

gate = cache(Gate.open)  # opened at the first upload, which comes after the server has forked


class UploadsConfig(AppConfig):
    """Name it in INSTALLED_APPS, so that a folder that cannot be used stops the server when it starts."""

    name = "takeback.integrations.examples"

    def ready(self) -> None:
        """Opens the gate once, as a trial."""
        Gate.open().close()


def validate_not_listed(upload: UploadedFile) -> None:
    """Raises `ValidationError` for a listed picture. Put it in `validators=[...]` of a FileField or an ImageField."""
    decision = gate().check(upload.file, given=upload.content_type or "")
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
