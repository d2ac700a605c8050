"""`takeback registry status|entries|pause|resume|expire|operator-key`: the commands for an operator's daily work."""

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
    """Show counts of cases, entries and platforms, and a plot of the last 30 days; no hashes and no case numbers."""
    from takeback.registry.data import open_data
    from takeback.registry.storage.status_queries import overview

    with open_data(read_settings(os.environ, **where)).begin() as connection:
        found = overview(connection, int(time.time()))
    show(found, _told(found), as_json)


@click.command()
@data
@click.option(
    "--standing", type=click.Choice(["block", "review", "paused"]), multiple=True, default=("review", "paused"),
    show_default=True, help="Entries with this status; may be given more than once",
)  # fmt: skip
@click.option(
    "--sort", type=click.Choice(["newest", "oldest", "matches"]), default="newest", show_default=True,
    help="By age, or by the number of uploads that they matched",
)  # fmt: skip
@click.option("--case", "of_case", metavar="CASE", help="Only entries of this case, by its number in `case list`")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Entries to list, at most"
)
@as_json_option
def entries(
    standing: tuple[str, ...], sort: str, of_case: str | None, limit: int, as_json: bool, **where: object
) -> None:
    """List entries that need attention: those demoted or paused, who did that, and platforms' feedback on them."""
    from takeback.protocol import CASE_NUMBER_PATTERN, EntryStatus
    from takeback.registry.data import open_data
    from takeback.registry.storage.status_queries import Order, list_entries

    if of_case is not None and not re.fullmatch(CASE_NUMBER_PATTERN, of_case):
        raise SettingsError(f"{of_case!r} is not a case number; a case number is 10 digits")
    case = None if of_case is None else int(of_case)
    with open_data(read_settings(os.environ, **where)).begin() as connection:
        found = list_entries(connection, [EntryStatus(one) for one in standing], limit, Order(sort), case)
    show(found, _listed(found), as_json)


@click.command()
@_numbers
@data
@as_json_option
def pause(numbers: tuple[int, ...], as_json: bool, **where: object) -> None:
    """Pause the entries with these numbers of `entries`. Gates do not match them until they are resumed."""
    _change(numbers, "paused", as_json, where)


@click.command()
@_numbers
@data
@as_json_option
def resume(numbers: tuple[int, ...], as_json: bool, **where: object) -> None:
    """Let entries block again. After that neither votes nor a flood of matches change their status."""
    _change(numbers, "block", as_json, where)


@click.command()
@data
def expire(**where: object) -> None:
    """End expired cases and erase old data now. A running registry does this every minute."""
    from takeback.registry.data import open_data
    from takeback.registry.storage.store import Store

    settings = read_settings(os.environ, **where)
    store = Store(open_data(settings), time.time, settings.policy)
    try:
        while store.cases.retain():
            pass
    finally:
        store.close()
    click.echo("Expired cases are ended, and old data is erased.")


@click.command("operator-key")
@data
@click.option("--keys", type=click.Path(path_type=Path), help="Folder of the keys [TAKEBACK_KEYS; default: DATA/keys]")
def operator_key(**where: object) -> None:
    """Make the key for the page at /operator, and show it once. The previous key stops working at once."""
    from takeback.registry.http.operator_page import PATH, digest
    from takeback.registry.security.credentials import write_secret

    settings = read_settings(os.environ, **where)
    key = secrets.token_urlsafe(24)
    write_secret(settings.operator_key, digest(key).encode())
    click.echo(f"The key for {PATH}, shown only now. Use it as the password, with any user name.", err=True)
    click.echo(key)


def _change(numbers: Sequence[int], status: str, as_json: bool, where: dict[str, object]) -> None:
    from takeback.protocol import EntryStatus
    from takeback.registry.data import open_data
    from takeback.registry.rules.entry_status import EntryState, StatusSource
    from takeback.registry.storage import entry_statuses, feed_queries
    from takeback.registry.storage.engine.database import writing

    with writing(open_data(read_settings(os.environ, **where))) as connection:
        # A registry may be running, and numbers of the feed must become visible in order.
        feed_queries.lock(connection)
        changed = entry_statuses.set_status(
            connection, numbers, EntryState(EntryStatus(status), StatusSource.OPERATOR), int(time.time())
        )
    told = f"{changed} of {len(numbers)} changed to {status}; platforms get it with their next poll"
    show({"changed": changed, "asked": len(numbers), "standing": status}, told, as_json)


def _told(found: "Overview") -> str:
    from takeback.registry.storage.status_queries import PLATFORM_COLUMNS, REPORT_DAYS, bars, in_words

    lines = [
        f"feed       {found.head} lines",
        f"cases      {in_words(found.cases)}",
        f"entries    {in_words(found.entries)}",
        f"floods     {found.floods} entries at review because they match too much; see: takeback registry entries",
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
        return "No entries with that status."
    return tabulated([title.upper() for title in ENTRY_COLUMNS], [one.cells() for one in found])
