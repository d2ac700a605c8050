"""The app for Wagtail, beside the app for Django: it finds a site that forgot the forms, and checks avatars."""

from typing import Any, override

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register

from takeback.integrations.django.validators import validate_not_listed


class WagtailUploadsConfig(AppConfig):
    """Name it in INSTALLED_APPS: "takeback.integrations.wagtail"."""

    name = "takeback.integrations.wagtail"
    label = "takeback_wagtail"
    verbose_name = "Takeback for Wagtail"

    @override
    def ready(self) -> None:
        """Checks avatars of editors, for whose form Wagtail has no setting, and registers the system check."""
        from wagtail.admin.forms.account import AvatarPreferencesForm

        AvatarPreferencesForm.base_fields["avatar"].validators.append(validate_not_listed)
        register(check_forms, "takeback")


def check_forms(**_: Any) -> list[CheckMessage]:
    """Returns an error for each form of Wagtail that does not check uploads, because a setting is missing."""
    from wagtail.documents.forms import get_document_base_form
    from wagtail.images.forms import get_image_base_form

    from takeback.integrations.wagtail.forms import NotListedFile

    found: list[CheckMessage] = []
    for form, setting, name in (
        (get_image_base_form(), "WAGTAILIMAGES_IMAGE_FORM_BASE", "ImageForm"),
        (get_document_base_form(), "WAGTAILDOCS_DOCUMENT_FORM_BASE", "DocumentForm"),
    ):
        if not issubclass(form, NotListedFile):
            hint = f'Set {setting} = "takeback.integrations.wagtail.forms.{name}", or let your form inherit from it.'
            found.append(Error(f"{setting} names no form that checks uploads", hint=hint, id="takeback.E002"))
    return found
