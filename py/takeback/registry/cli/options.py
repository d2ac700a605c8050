"""What the registry's commands share: the options for the database, and output."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, override

import click

from takeback.errors import SettingsError

NUMBER: Final = click.IntRange(1, 2**63 - 1)
"""The type of an entry's number."""
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON")
data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of the database [TAKEBACK_DATA; default: var]"
)
database_option = click.option("--database", help="Address of a PostgreSQL database [TAKEBACK_DATABASE]")


class Commands(click.Group):
    """A group that turns database errors into errors of one line."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command. Raises `SettingsError` for an error of the database."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from sqlalchemy.exc import SQLAlchemyError

            if not isinstance(error, SQLAlchemyError):
                raise
            told = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise SettingsError(f"cannot use the database: {told}") from error


def data[F: Callable[..., None]](command: F) -> F:
    """Adds the options `--data` and `--database`."""
    return data_option(database_option(command))


def show(found: object, text: str, as_json: bool) -> None:
    """Prints `found` as JSON, or else `text`."""
    import msgspec

    click.echo(msgspec.json.encode(found).decode() if as_json else text)


def tabulated(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text with aligned columns."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    )


def moment_or_dash(seconds: int | None) -> str:
    """A time in the protocol's format, or `-` for `None`."""
    from takeback.times import moment

    return "-" if seconds is None else str(moment(seconds))
