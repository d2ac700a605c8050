"""Signals for what a site wants to do beside the answer. Each is sent with `upload`, the file, and its `checked`.

`upload` is an `UploadedFile` of a form, or a `FieldFile`, whose `instance` is then the object. The sender is the
object's model, or nothing. An error of a receiver refuses the upload.
"""

from typing import Final

from django.dispatch import Signal

blocked_upload: Final = Signal()
"""A listed upload is refused."""
review_upload: Final = Signal()
"""An upload asks for a review; whether it is refused is the site's setting."""
unchecked_upload: Final = Signal()
"""Nobody could decide on an upload; if it is stored, check it again later."""
