"""`manage.py takeback_check app.Model.field`: which stored files would be blocked today.

Run it for what was stored before the app was there, and for what was let through unchecked. It removes nothing.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, override

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import FileField

from takeback.errors import PictureError, SettingsError
from takeback.integrations.checker import Checked
from takeback.integrations.django import asking
from takeback.integrations.django.validators import announce
from takeback.protocol import Action

CHUNK_ROWS: Final = 500
"""Rows that are read from the database at once."""


class Command(BaseCommand):
    """Checks the stored files of a model's field."""

    help = "Says which stored files of app.Model.field would be blocked. Changes nothing without --signal."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the field, and what to do about what is found."""
        parser.add_argument("field", metavar="app.Model.field")
        parser.add_argument("--after", metavar="PK", help="begin after the object with this primary key")
        parser.add_argument(
            "--signal",
            action="store_true",
            help="send the app's signals for what is found, so that your receivers act, and report it if that is set",
        )

    @override
    def handle(self, *_: Any, **options: Any) -> None:
        """Prints a line for each file that is not allowed, and the counts. Raises `CommandError` if nobody decides."""
        counts: Counter[str] = Counter()
        for file in _stored(options["field"], options["after"]):
            said, checked = _decide(file)
            counts[said] += 1
            if said != Action.ALLOW:
                self.stdout.write(f"{said} {file.instance.pk} {file.name}")
            if checked is not None and options["signal"]:
                _act(file, checked)
        total = ", ".join(f"{count} {said}" for said, count in sorted(counts.items()))
        self.stdout.write(f"{counts.total()} files: {total}" if counts else "no files")
        if counts["unchecked"] or counts["unreadable"]:
            raise CommandError("not every file was checked: run it again later")


def _act(file: Any, checked: Checked) -> None:
    """Tells the site's receivers, and the registry if the site wants that."""
    announce(file, checked)
    if checked.action is Action.BLOCK:
        asking.report(checked)


def _decide(file: Any) -> tuple[str, Checked | None]:
    """Returns what is said about a file, and its decision if there is one. Raises `CommandError`."""
    try:
        with file.open("rb") as opened:
            checked = asking.check(opened, "")
    except SettingsError as error:
        raise CommandError(str(error)) from error
    except (PictureError, OSError):
        return "unreadable", None
    return (checked.action.value if checked.is_checked else "unchecked"), checked


def _stored(label: str, after: str | None) -> Iterator[Any]:
    """The files of a field that hold something, by primary key. Raises `CommandError`."""
    try:
        name, field_name = label.rsplit(".", 1)
        model = apps.get_model(name)
        field = model._meta.get_field(field_name)  # noqa: SLF001 - public, as Django documents it
    except (ValueError, LookupError, FieldDoesNotExist) as error:
        raise CommandError(f"{label} is no field: expected app.Model.field") from error
    if not isinstance(field, FileField):
        raise CommandError(f"{label} is no file field")
    # The base manager: a site's own one may leave out what is hidden, which is stored all the same.
    rows = model._base_manager.order_by("pk").only("pk", field_name)  # noqa: SLF001 - likewise
    try:
        rows = rows.filter(pk__gt=after) if after is not None else rows
    except (ValueError, ValidationError) as error:
        raise CommandError(f"{after} is no primary key of {name}") from error
    for row in rows.iterator(chunk_size=CHUNK_ROWS):
        if file := getattr(row, field_name):
            yield file
