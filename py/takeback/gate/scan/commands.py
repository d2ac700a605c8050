"""`takeback gate scan` and `takeback gate backfill`."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from takeback import how_to_install
from takeback.errors import SettingsError
from takeback.gate.settings import HOME_VARIABLE

if TYPE_CHECKING:
    from takeback.gate.scan.report import Summary
    from takeback.gate.scan.run import Progress


def _options[F: Callable[..., Any]](command: F) -> F:
    """Adds the options of both commands."""
    for option in (
        click.option("--workers", type=click.IntRange(1), help="Processes here, or cores of the cluster [all cores]"),
        click.option("--ray", metavar="ADDRESS", help="Run on the Ray cluster at ADDRESS (`auto`, HOST:PORT)."),
        click.option("--table", metavar="NAME", help="The table, if INPUT is a database."),
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="OURS=THEIRS",
            help="Name of a column in the input: key=photo_id, pdq=hash.",
        ),
        click.option(
            "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the results."
        ),
        click.option(
            "--home",
            required=True,
            type=click.Path(path_type=Path, file_okay=False),
            envvar=HOME_VARIABLE,
            help=f"The gate's folder; also {HOME_VARIABLE}.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@_options
def scan(home: Path, out: Path, **options: Any) -> None:
    """Match stored uploads against the whole list.

    INPUT is a folder of pictures, a Parquet or CSV file of signals, or a database; folders and files may be anywhere
    that fsspec can read (s3://...). A scan that was stopped resumes when the same command is run again.
    """
    _run(home, out, 0, options)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--since", type=click.IntRange(0), help="A feed number [where the last backfill ended]")
@_options
def backfill(home: Path, out: Path, since: int | None, **options: Any) -> None:
    """Match stored uploads against the entries that are new since the last backfill.

    INPUT as for `scan`. With a table of the signals of all stored uploads, a run after each sync takes minutes.
    """
    from takeback.gate.scan.backfill import finished, last

    began = last(home) if since is None else since
    finished(home, _run(home, out, began, options).checkpoint)


def _run(home: Path, out: Path, newer_than: int, options: dict[str, Any]) -> "Summary":
    try:
        from takeback.gate.scan.run import ScanPlan, ScanResources, run_scan
    except ModuleNotFoundError as error:
        raise SettingsError(f"this needs more packages ({error.name}): {how_to_install('gate,scan')}") from error
    columns = dict(_column(text) for text in options["columns"])
    plan = ScanPlan(options["inputs"], columns, options["table"], newer_than)
    means = ScanResources(options["workers"] or os.cpu_count() or 1, options["ray"])
    with click.progressbar(length=1, label="scanning", file=sys.stderr, item_show_func=lambda text: text) as bar:
        summary = run_scan(home, out, plan, means, _teller(bar))
    for name, count in summary.lines():
        click.echo(f"{name:11} {count}")
    click.echo(f"results in {out}")
    return summary


def _teller(bar: Any) -> "Callable[[Progress], None]":
    """Returns a function that updates the bar, and shows the rows done and the rows per second."""
    began: tuple[float, int] | None = None

    def tell(progress: "Progress") -> None:
        nonlocal began
        began = began or (time.monotonic(), progress.rows)
        speed = (progress.rows - began[1]) / max(time.monotonic() - began[0], 0.001)
        bar.length = progress.chunks or progress.done + 1  # the length of a stream is not known in advance
        bar.update(progress.done - bar.pos, f"{progress.rows} rows, {speed:.0f}/s")

    return tell


def _column(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not (ours and equals and theirs):
        raise SettingsError(f"--column {text!r} is not OURS=THEIRS, such as key=photo_id")
    return ours, theirs
