"""`takeback platform ...`: who may follow the feed, and who of them is named to everybody."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import click

from takeback.errors import SettingsError
from takeback.registry.cli.options import Commands, data, moment_or_dash, tabulated
from takeback.registry.settings import read_settings

if TYPE_CHECKING:
    from takeback.registry.storage.platforms import Platform, Platforms

_COLUMNS: Final = ("NAME", "KEY", "CREATED", "LAST SEEN", "CURSOR", "REVOKED", "LOOK-UP", "PUBLISHED AS", "CONSENT")


@click.group(cls=Commands)
def platform() -> None:
    """Manage platforms: their keys to the feed, and which of them the page names."""


@platform.command()
@click.argument("name")
@click.option("--lookup", "is_lookup", is_flag=True, help="It is a look-up service: count its small sites")
@data
def add(name: str, is_lookup: bool, **where: object) -> None:
    """Add a platform that may follow the feed, and show its key."""
    feed = _feed_key(where)
    _show_key(name, _platforms(where).add(name, is_lookup=is_lookup).text(), feed)


@platform.command("list")
@data
def list_(**where: object) -> None:
    """List the platforms and how far they have followed the feed."""
    rows = [_row(one) for one in _platforms(where).all()]
    if not rows:
        click.echo("No platforms yet. Add one: takeback platform add NAME")
        return
    click.echo(tabulated(_COLUMNS, rows))


@platform.command()
@click.argument("name")
@data
def rotate(name: str, **where: object) -> None:
    """Give a platform a new key. The old one stops working at once."""
    feed = _feed_key(where)
    _show_key(name, _platforms(where).rotate(name).text(), feed)


@platform.command()
@click.argument("name")
@data
def revoke(name: str, **where: object) -> None:
    """Revoke a platform's key. `rotate` gives it a new one."""
    _platforms(where).revoke(name)
    click.echo(f"The key of {name} is revoked. The platform can no longer read the feed, and is not named at the page.")


@platform.command()
@click.argument("name")
@click.option("--as", "shown_as", metavar="NAME", required=True, help="The name that everybody sees, as people know it")
@click.option("--consent", is_flag=True, help="The platform has agreed to be named; do not ask")
@data
def publish(name: str, shown_as: str, consent: bool, **where: object) -> None:
    """Name a platform to everybody at the page while it follows the feed. It must have agreed to that."""
    platforms = _platforms(where)
    shown = platforms.publishable(name, shown_as).published_name
    click.echo(f"Everybody at the page will see that {shown} follows this registry.", err=True)
    if not (consent or _has_agreed(name)):
        raise SettingsError("nothing was published; ask the platform first, then answer y or add --consent")
    published = platforms.publish(name, shown_as)
    click.echo(f"{name} is published as {published.published_name}. {_when_shown(published)}")


@platform.command()
@click.argument("name")
@data
def unpublish(name: str, **where: object) -> None:
    """Stop naming a platform at the page. It goes on following the feed."""
    _platforms(where).unpublish(name)
    click.echo(f"{name} is not published. While it follows the feed, it is counted without a name.")


@platform.command()
@click.argument("name")
@click.option("--on/--off", "is_lookup", default=True, show_default=True, help="Whether it is a look-up service")
@data
def lookup(name: str, is_lookup: bool, **where: object) -> None:
    """Count the small sites that a platform says it serves, and not itself. Mark only a host that you trust."""
    _platforms(where).set_lookup(name, is_lookup)
    if is_lookup:
        click.echo(f"{name} is a look-up service. People see how many small sites it serves, as it says itself.")
    else:
        click.echo(f"{name} is not a look-up service. It counts as one platform.")


def _has_agreed(name: str) -> bool:
    try:
        return click.confirm(f"Has {name} agreed to be named in public?", err=True)
    except click.Abort:  # nobody is there to answer, or Ctrl-C
        click.echo(err=True)
        return False


def _when_shown(published: "Platform") -> str:
    if published.revoked_at is not None:
        return "The page does not show it, because its key is revoked; see: takeback platform rotate"
    if not published.follows(time.time()):
        return "The page shows it as soon as it reads the feed."
    return "The page shows it now."


def _platforms(where: Mapping[str, object]) -> "Platforms":
    from takeback.registry.data import open_data
    from takeback.registry.storage.platforms import Platforms

    return Platforms(open_data(read_settings(os.environ, **where)))


def _feed_key(where: Mapping[str, object]) -> str:
    """The newest public key of the feed, made if there is none yet."""
    from takeback.registry.data import open_data
    from takeback.registry.keys.feed_signing import Signer, public_keys

    settings = read_settings(os.environ, **where)
    engine = open_data(settings)
    try:
        keys = public_keys(engine) or Signer(engine, settings.feed_key).keys().keys
    finally:
        engine.dispose()  # open connections would keep the command from ending
    return keys[-1].key


def _show_key(name: str, key: str, feed: str) -> None:
    # To standard error, so that the output can be piped to `takeback gate init --key-file -`.
    click.echo(f"The key of {name}, which is shown only now and not stored, and the feed's public key:", err=True)
    click.echo(f"{key} {feed}")


def _row(one: "Platform") -> tuple[str, ...]:
    times = [moment_or_dash(at) for at in (one.created_at, one.seen_at, one.revoked_at, one.published_at)]
    sites = f"{one.small_sites_now(time.time())} sites" if one.is_lookup else "-"
    return (one.name, one.key_id, *times[:2], str(one.cursor), times[2], sites, one.published_name or "-", times[3])
