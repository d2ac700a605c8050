"""What the commands of a registry share: where the data is, and tables."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of the database [TAKEBACK_DATA; default: var]"
)
database_option = click.option("--database", help="Address of a PostgreSQL database [TAKEBACK_DATABASE]")


def data[F: Callable[..., None]](command: F) -> F:
    """The options that say where the data is."""
    return data_option(database_option(command))


def tabulated(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with its columns one under the other."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    )


def moment_or_dash(seconds: int | None) -> str:
    """A moment as the protocol writes it."""
    from takeback.registry.cases import moment

    return "-" if seconds is None else str(moment(seconds))
