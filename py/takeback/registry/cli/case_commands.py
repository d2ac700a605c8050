"""`takeback registry case list|end`: lists the cases with the most entries, and ends cases."""

import os
import time
from typing import TYPE_CHECKING

import click

from takeback.errors import SettingsError
from takeback.registry.cli.options import NUMBER, as_json_option, data, moment_or_dash, show, tabulated
from takeback.registry.settings import read_settings

if TYPE_CHECKING:
    from takeback.registry.rules.cases import Case
    from takeback.registry.storage.store import Store


@click.group()
def case() -> None:
    """List the cases with the most entries, and end cases. No other commands show case numbers."""


@case.command("list")
@data
@click.option(
    "--entry", type=NUMBER, metavar="ENTRY", help="Only cases that hold this entry, by its number in `entries`"
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Cases to list, at most")
@as_json_option
def list_(entry: int | None, limit: int, as_json: bool, **where: object) -> None:
    """List open cases, those with the most entries first."""
    from takeback.registry.data import open_data
    from takeback.registry.storage.status_queries import CASE_COLUMNS, largest_cases

    with open_data(read_settings(os.environ, **where)).begin() as connection:
        found = largest_cases(connection, limit, entry)
    rows = [(f"{one.case:010d}", *one.cells()) for one in found]
    table = tabulated(("CASE", *(title.upper() for title in CASE_COLUMNS)), rows)
    show(found, table if found else "No open cases.", as_json)


@case.command()
@click.argument("cases", metavar="CASE...", nargs=-1, required=True)
@data
@click.option("--yes", is_flag=True, help="Do not ask for confirmation")
@as_json_option
def end(cases: tuple[str, ...], yes: bool, as_json: bool, **where: object) -> None:
    """End the cases with these numbers of `case list`. Entries that no other case holds leave the feed."""
    from takeback.registry.data import open_data
    from takeback.registry.storage.case_store import CaseWithdrawal
    from takeback.registry.storage.store import Store

    settings = read_settings(os.environ, **where)
    store = Store(open_data(settings), time.time, settings.policy)
    try:
        # All are looked up before the first one ends, so that a wrong number ends none.
        found = [_found(store, number) for number in dict.fromkeys(one.replace(" ", "") for one in cases)]
        ending = [one for one in found if one.is_open]
        if ending and not yes:
            click.confirm(f"End {_listed(ending)}? This cannot be undone", abort=True, err=True)
        for one in ending:
            store.cases.withdraw(CaseWithdrawal(one.number)).result()
    finally:
        store.close()
    over = [one.number for one in found if not one.is_open]
    told = f"{len(ending)} ended; their entries will leave the feed within {settings.mix} seconds"
    told += f"; {len(over)} had ended before" if over else ""
    show({"ended": [one.number for one in ending], "ended_before": over}, told, as_json)


def _found(store: "Store", number: str) -> "Case":
    found = store.cases.case(number) if number.isascii() and number.isdigit() and len(number) == 10 else None
    if found is None:
        raise SettingsError(f"there is no case {number!r}; see: takeback registry case list")
    return found


def _listed(ending: "list[Case]") -> str:
    names = ", ".join(f"{one.number}, received {moment_or_dash(one.received_at)}" for one in ending)
    return f"the case {names}" if len(ending) == 1 else f"{len(ending)} cases: {names}"
