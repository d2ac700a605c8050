"""Base forms for Wagtail's images and documents, which every way of uploading uses: pages, chooser, multiple, API."""

from typing import Any

from wagtail.documents.forms import BaseDocumentForm
from wagtail.images.forms import BaseImageForm

from takeback.integrations.django.validators import validate_not_listed


class NotListedFile:
    """Adds the validator to the field `file`; forms that only edit what is stored do not have it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields  # type: ignore[attr-defined] # of the form that this is mixed into
        if "file" in fields:
            fields["file"].validators.append(validate_not_listed)


class ImageForm(NotListedFile, BaseImageForm):
    """For WAGTAILIMAGES_IMAGE_FORM_BASE."""

    class Meta(BaseImageForm.Meta):
        """As Wagtail's."""


class DocumentForm(NotListedFile, BaseDocumentForm):
    """For WAGTAILDOCS_DOCUMENT_FORM_BASE."""

    class Meta(BaseDocumentForm.Meta):
        """As Wagtail's."""
