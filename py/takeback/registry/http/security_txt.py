"""`/.well-known/security.txt` (RFC 9116): where to report a security fault, if the operator named a contact."""

from collections.abc import Callable, Sequence
from typing import Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from takeback.times import DAY_SECONDS, moment

PATH: Final = "/.well-known/security.txt"
FRESH_DAYS: Final = 90
"""Days until a copy of the file expires; RFC 9116 recommends less than a year.

The date advances with every answer, because the contacts are valid as long as the process runs with the setting.
"""


def security_txt(contacts: Sequence[str], clock: Callable[[], float]) -> HTTPRouteHandler:
    """The route that names these `contacts`, which are URIs; `clock` gives seconds since 1970."""

    @get(PATH, sync_to_thread=False)
    def security_txt_file() -> Response[str]:
        """The file, whose date is a midnight so that it does not reveal the server's clock."""
        until = (int(clock()) // DAY_SECONDS + FRESH_DAYS) * DAY_SECONDS
        lines = [*(f"Contact: {contact}" for contact in contacts), f"Expires: {moment(until)}"]
        return Response("".join(f"{line}\n" for line in lines), media_type="text/plain")

    return security_txt_file
