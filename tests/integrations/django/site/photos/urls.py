from django import forms
from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from takeback.integrations.django.validators import validate_not_listed


class UploadForm(forms.Form):
    file = forms.FileField(validators=[validate_not_listed])


def upload(request: HttpRequest) -> JsonResponse:
    """Answers with what the form says, the upload's size and position, and the signals since the last upload."""
    seen = apps.get_app_config("photos").seen
    seen.clear()
    form = UploadForm(request.POST, request.FILES)
    status = 201 if form.is_valid() else 422
    codes = [error.code for error in form.errors.as_data().get("file", [])]
    file = request.FILES["file"]
    told = {"errors": form.errors, "codes": codes, "seen": seen, "size": len(file.read()), "kind": type(file).__name__}
    return JsonResponse(told, status=status)


urlpatterns = [path("upload", csrf_exempt(upload)), path("admin/", admin.site.urls)]
