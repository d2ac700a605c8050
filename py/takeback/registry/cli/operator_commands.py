"""`takeback registry status|entries|pause|resume|expire|operator-key`: for whoever runs a registry."""

import os
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from takeback.errors import SettingsError
from takeback.registry.cli.options import NUMBER, as_json_option, data, show, tabulated
from takeback.registry.settings import read_settings

if TYPE_CHECKING:
    from takeback.registry.storage.status_queries import EntryOverview, Overview

_numbers = click.argument("numbers", metavar="ENTRY...", type=NUMBER, nargs=-1, required=True)


@click.command()
@data
@as_json_option
def status(as_json: bool, **where: object) -> None:
    """Show cases, entries and platforms, and the last 30 days as a plot. Counts alone: no hash, no case number."""
    from takeback.registry.server import open_data
    from takeback.registry.storage.status_queries import overview

    with open_data(read_settings(os.environ, **where)).begin() as connection:
        found = overview(connection, int(time.time()))
    show(found, _told(found), as_json)


@click.command()
@data
@click.option(
    "--standing", type=click.Choice(["block", "review", "paused"]), multiple=True, default=("review", "paused"),
    show_default=True, help="Entries of this standing; may be given more than once",
)  # fmt: skip
@click.option(
    "--sort", type=click.Choice(["newest", "oldest", "matches"]), default="newest", show_default=True,
    help="By age, or those first that matched the most uploads",
)  # fmt: skip
@click.option("--case", "of_case", metavar="CASE", help="Only what this case holds, by the number of `case list`")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many")
@as_json_option
def entries(
    standing: tuple[str, ...], sort: str, of_case: str | None, limit: int, as_json: bool, **where: object
) -> None:
    """List the entries that need an eye: what was demoted or paused, by whom, and what platforms say of it."""
    from takeback.protocol import CASE_NUMBER_PATTERN, EntryStatus
    from takeback.registry.server import open_data
    from takeback.registry.storage.status_queries import Order, list_entries

    if of_case is not None and not re.fullmatch(CASE_NUMBER_PATTERN, of_case):
        raise SettingsError(f"{of_case!r} is not a case's number, which is 10 digits")
    case = None if of_case is None else int(of_case)
    with open_data(read_settings(os.environ, **where)).begin() as connection:
        found = list_entries(connection, [EntryStatus(one) for one in standing], limit, Order(sort), case)
    show(found, _listed(found), as_json)


@click.command()
@_numbers
@data
@as_json_option
def pause(numbers: tuple[int, ...], as_json: bool, **where: object) -> None:
    """Pause entries, by the numbers that `entries` shows: gates stop blocking by them until they are resumed."""
    _change(numbers, "paused", as_json, where)


@click.command()
@_numbers
@data
@as_json_option
def resume(numbers: tuple[int, ...], as_json: bool, **where: object) -> None:
    """Have entries block again, for good: neither votes nor a flood change them any more."""
    _change(numbers, "block", as_json, where)


@click.command()
@data
def expire(**where: object) -> None:
    """Do now what a running registry does every minute: end cases that expire, erase what ended long ago."""
    from takeback.registry.server import open_data
    from takeback.registry.storage.store import Store

    settings = read_settings(os.environ, **where)
    store = Store(open_data(settings), time.time, settings.policy)
    try:
        while store.cases.retain():
            pass
    finally:
        store.close()
    click.echo("What has expired is ended, and what ended long ago is erased.")


@click.command("operator-key")
@data
@click.option("--keys", type=click.Path(path_type=Path), help="Folder of the keys [TAKEBACK_KEYS; default: DATA/keys]")
def operator_key(**where: object) -> None:
    """Make the key to the page at /operator, and show it once. A key from before stops at once."""
    from takeback.registry.http.operator_page import PATH, digest
    from takeback.registry.security.credentials import write_secret

    settings = read_settings(os.environ, **where)
    key = secrets.token_urlsafe(24)
    write_secret(settings.operator_key, digest(key).encode())
    click.echo(f"The key to {PATH}, shown only now: give it as the password, with any name.", err=True)
    click.echo(key)


def _change(numbers: Sequence[int], standing: str, as_json: bool, where: dict[str, object]) -> None:
    from takeback.protocol import EntryStatus
    from takeback.registry.rules.entry_status import EntryState, StatusSource
    from takeback.registry.server import open_data
    from takeback.registry.storage import entry_statuses, feed_queries
    from takeback.registry.storage.engine.database import writing

    with writing(open_data(read_settings(os.environ, **where))) as connection:
        feed_queries.lock(connection)
        changed = entry_statuses.set_status(
            connection, numbers, EntryState(EntryStatus(standing), StatusSource.OPERATOR), int(time.time())
        )
    told = f"{changed} of {len(numbers)} changed to {standing}; platforms hear of it with their next poll"
    show({"changed": changed, "asked": len(numbers), "standing": standing}, told, as_json)


def _told(found: "Overview") -> str:
    from takeback.registry.storage.status_queries import PLATFORM_COLUMNS, REPORT_DAYS, bars, in_words

    lines = [
        f"feed       {found.head} lines",
        f"cases      {in_words(found.cases)}",
        f"entries    {in_words(found.entries)}",
        f"floods     {found.floods} entries ask for a review because they match too much; see: registry entries",
        "",
        f"the last {REPORT_DAYS} days, today last",
        f"new cases  {bars(found.new_cases)}  {sum(found.new_cases)}, at most {max(found.new_cases)} a day",
        f"blocks     {bars(found.blocks)}  {sum(found.blocks)}, at most {max(found.blocks)} a day",
        "",
    ]
    if not found.platforms:
        return "\n".join([*lines, "No platforms yet. Add one: takeback platform add NAME"])
    return "\n".join(
        [*lines, tabulated([title.upper() for title in PLATFORM_COLUMNS], [one.cells() for one in found.platforms])]
    )


def _listed(found: "Sequence[EntryOverview]") -> str:
    from takeback.registry.storage.status_queries import ENTRY_COLUMNS

    if not found:
        return "No entry of that standing."
    return tabulated([title.upper() for title in ENTRY_COLUMNS], [one.cells() for one in found])
