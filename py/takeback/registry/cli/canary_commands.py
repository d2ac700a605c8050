"""`takeback registry canary ...`: entries that only one platform sees, to trace a leaked list."""

import mmap
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from takeback.errors import SettingsError
from takeback.protocol import SignalMessage
from takeback.registry.cli.options import as_json_option, data, moment_or_dash, show, tabulated
from takeback.registry.settings import read_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from takeback.registry.storage.canaries import CanaryTrace
    from takeback.signals import Signal


@click.group()
def canary() -> None:
    """Give platforms entries that no other platform sees, and trace a leaked list to its platform."""


@canary.command()
@click.argument("platform")
@click.option("--pictures", type=click.IntRange(1, 100), default=3, show_default=True, help="Pictures to draw")
@data
@as_json_option
@click.pass_obj
def add(
    drawn: "Callable[[], Sequence[Signal]]", /, platform: str, pictures: int, as_json: bool, **where: object
) -> None:
    """Make canaries for PLATFORM from drawn pictures, whose entries look like any others and match nothing."""
    from takeback.registry.data import open_data
    from takeback.registry.storage import canaries
    from takeback.registry.storage.engine.database import writing

    settings = read_settings(os.environ, **where)
    # The registry cannot hash pictures, so the program passes in the function that draws and hashes them.
    made_up = [[SignalMessage.of(signal) for signal in drawn()] for _ in range(pictures)]
    with writing(open_data(settings)) as connection:
        made = canaries.make(connection, platform, made_up, settings.mix, int(time.time()))
    told = f"{made} entries for {platform} will enter the feed within {settings.mix} seconds"
    show({"platform": platform, "entries": made}, told, as_json)


@canary.command()
@click.argument("platform")
@data
@as_json_option
def remove(platform: str, as_json: bool, **where: object) -> None:
    """Remove the canaries of PLATFORM from the feed. They can be traced until they are erased."""
    from takeback.registry.data import open_data
    from takeback.registry.storage import canaries
    from takeback.registry.storage.engine.database import writing

    settings = read_settings(os.environ, **where)
    with writing(open_data(settings)) as connection:
        ended = canaries.end(connection, platform, settings.mix, int(time.time()))
    told = f"{ended} entries of {platform} will leave the feed within {settings.mix} seconds"
    show({"platform": platform, "entries": ended}, told, as_json)


@canary.command("list")
@data
@as_json_option
def list_(as_json: bool, **where: object) -> None:
    """List the platforms that have canaries, and when the newest was made."""
    from takeback.registry.storage import canaries

    with _engine(where).begin() as connection:
        found = canaries.canary_counts(connection)
    rows = [(one.platform, str(one.entries), moment_or_dash(one.made_at)) for one in found]
    table = tabulated(("PLATFORM", "ENTRIES", "NEWEST"), rows)
    show(found, table if found else "No canaries yet. Make some: takeback registry canary add PLATFORM", as_json)


@canary.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@data
@as_json_option
def trace(file: Path, as_json: bool, **where: object) -> None:
    """Find the platforms whose canaries are in FILE, a text of any form with hashes in hex."""
    from takeback.registry.storage import canaries

    with _engine(where).begin() as connection, file.open("rb") as opened:
        try:
            # Mapped, so that a long list is not read into memory at once.
            listed = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SettingsError(f"{file} cannot be read, or is empty") from error
        with listed:
            found = canaries.trace(connection, listed)
    show(found, _told(found), as_json)


def _told(found: "Sequence[CanaryTrace]") -> str:
    if not found:
        return "The list contains no canaries."
    rows = [(one.platform, f"{one.found} of {one.told}") for one in found]
    return tabulated(("PLATFORM", "CANARIES"), rows)


def _engine(where: dict[str, object]) -> "Engine":
    from takeback.registry.data import open_data

    return open_data(read_settings(os.environ, **where))
