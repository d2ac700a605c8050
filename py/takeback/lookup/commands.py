"""`takeback lookup ...`: the command line of the look-up service. It uses the folder of the gate whose list it asks."""

import json
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from takeback.lookup.service.sites import DEFAULT_QUOTA, MAX_QUOTA, Sites

HOME_VARIABLE: Final = "TAKEBACK_GATE_HOME"


@click.group()
def lookup() -> None:
    """Answer small sites' questions about fingerprints, so that the list stays here."""


_home = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=HOME_VARIABLE,
    required=True,
    help=f"The folder of the gate whose list is asked; also {HOME_VARIABLE}.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")


@lookup.command()
@_home
@click.argument("name")
@click.option(
    "--quota",
    type=click.IntRange(1, MAX_QUOTA),
    default=DEFAULT_QUOTA,
    show_default=True,
    help="Questions a day (UTC).",
)
def add(home: Path, name: str, quota: int) -> None:
    """Add a site, and print its key: the only time that it is shown."""
    with closing(Sites(home)) as sites:
        click.echo(sites.add(name, quota))


@lookup.command()
@_home
@click.argument("name")
@click.option(
    "--grace-hours", type=click.FloatRange(0, 8760), default=0.0, show_default=True, help="How long the old key works."
)
def rotate(home: Path, name: str, grace_hours: float) -> None:
    """Give a site a new key, and print it."""
    with closing(Sites(home)) as sites:
        click.echo(sites.rotate(name, grace_hours))


@lookup.command()
@_home
@click.argument("name")
def revoke(home: Path, name: str) -> None:
    """End all keys of a site, within a second or two."""
    with closing(Sites(home)) as sites:
        sites.revoke(name)
    click.echo(f"{name} can no longer ask")


@lookup.command("list")
@_home
@_json
def list_sites(home: Path, as_json: bool) -> None:
    """List the sites."""
    with closing(Sites(home)) as sites:
        rows = sites.sites()
    for row in rows:
        if as_json:
            click.echo(json.dumps(row._asdict()))
        else:
            state = f"revoked {row.revoked}" if row.revoked else f"{row.quota} questions a day"
            click.echo(f"{row.name:30} added {row.added}  {state}")


@lookup.command()
@_home
@click.argument("name", required=False)
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True)
@_json
def usage(home: Path, name: str | None, days: int, as_json: bool) -> None:
    """Show how much sites asked on each day, and how many questions were slowed because they were nearly alike."""
    with closing(Sites(home)) as sites:
        rows = sites.usage(days, name)
    for row in rows:
        if as_json:
            click.echo(json.dumps(row._asdict()))
        else:
            counts = (f"{count} {what}" for what, count in row._asdict().items() if what not in {"site", "day"})
            click.echo(f"{row.day}  {row.site:30} {', '.join(counts)}")


@lookup.command()
@_home
@click.option("--host", default="127.0.0.1", show_default=True, help="Put nginx with HTTPS before it.")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="0 chooses a free one.")
@click.option("--follow/--no-follow", default=True, show_default=True, help="Follow the feed too.")
@click.option(
    "--interval", type=click.FloatRange(1, 86400), default=30.0, show_default=True, help="Seconds between syncs."
)
def serve(home: Path, host: str, port: int, follow: bool, interval: float) -> None:
    """Answer questions over HTTP until stopped by Ctrl-C or SIGTERM."""
    from takeback.lookup.service.server import LookUpOptions
    from takeback.lookup.service.server import serve as serve_sites

    def announce(address: str) -> None:
        click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} the look-up service answers at {address}")

    serve_sites(LookUpOptions(os.fspath(home), host, port, follow, interval), announce)
