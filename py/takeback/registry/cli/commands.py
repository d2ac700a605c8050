"""`takeback registry ...`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from takeback.registry.cli import canary_commands, case_commands, operator_commands
from takeback.registry.cli.options import Commands, data, data_option, tabulated
from takeback.registry.settings import read_contacts, read_proxies, read_settings

if TYPE_CHECKING:
    from takeback.registry.keys.pin_keys import PinKeyUsage


@click.group(cls=Commands)
def registry() -> None:
    """Run a registry, which keeps cases and publishes the feed."""


for command in (
    operator_commands.status,
    operator_commands.entries,
    operator_commands.pause,
    operator_commands.resume,
    operator_commands.expire,
    operator_commands.operator_key,
    canary_commands.canary,
    case_commands.case,
):
    registry.add_command(command)


_keys_option = click.option(
    "--keys", type=click.Path(path_type=Path), help="Folder of the secret keys [TAKEBACK_KEYS; default: DATA/keys]"
)


@registry.command()
@data
@click.option(
    "--keys", type=click.Path(path_type=Path), help="Folder of the PIN key [TAKEBACK_KEYS; default: DATA/keys]"
)
@click.option("--page", type=click.Path(path_type=Path), help="Folder of the built page to serve [TAKEBACK_PAGE]")
@click.option("--host", help="Address to listen on [TAKEBACK_HOST; default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port, 0 for a free one [TAKEBACK_PORT; default: 8000]")
@click.option("--tls/--no-tls", default=None, help="People reach the site over HTTPS: send HSTS [TAKEBACK_TLS]")
@click.option(
    "--mix", type=click.IntRange(0, 86_400), help="Longest publication delay, in seconds [TAKEBACK_MIX; default: 300]"
)
@click.option(
    "--expire", type=click.IntRange(0, 36_500), help="Days until a case expires [TAKEBACK_EXPIRE; default: 0]"
)
@click.option(
    "--keep", type=click.IntRange(1, 36_500), help="Days until ended cases are erased [TAKEBACK_KEEP; default: 30]"
)
@click.option(
    "--proxies", metavar="NETWORKS", help="Your proxies, such as 10.0.0.0/8 [TAKEBACK_PROXIES]",
    callback=lambda _context, _option, value: None if value is None else read_proxies(value, "--proxies"),
)  # fmt: skip
@click.option(
    "--arrivals",
    type=click.IntRange(0, 1_000_000),
    help="Rate limit: lots per hour from one network [TAKEBACK_ARRIVALS; default: 300]",
)
@click.option(
    "--work", type=click.IntRange(0, 1_000_000), help="Proof of work: tries for each lot [TAKEBACK_WORK; default: 250]"
)
@click.option(
    "--demote", type=click.IntRange(0, 1000), help="Platforms that demote an entry [TAKEBACK_DEMOTE; default: 3]"
)
@click.option(
    "--flood",
    type=click.IntRange(0, 1_000_000),
    help="Matches in an hour that lead to a review [TAKEBACK_FLOOD; default: 5000]",
)
@click.option("--well-known", type=click.Path(path_type=Path), help="File with the benign list [TAKEBACK_WELL_KNOWN]")
@click.option("--ncmec/--no-ncmec", default=None, help="Serve clients of NCMEC's hash sharing [TAKEBACK_NCMEC]")
@click.option("--stopncii/--no-stopncii", default=None, help="Serve clients of StopNCII's API [TAKEBACK_STOPNCII]")
@click.option(
    "--security-contact", metavar="CONTACTS", help="Where to report security faults [TAKEBACK_SECURITY_CONTACT]",
    callback=lambda _context, _option, value: None if value is None else read_contacts(value, "--security-contact"),
)  # fmt: skip
def serve(**options: object) -> None:
    """Serve the API and, with --page, the page. Stop with Ctrl+C."""
    from takeback.registry import server

    settings = read_settings(os.environ, **options)
    what = f"page {settings.page}" if settings.page else "no page"
    server.serve(settings, lambda address: click.echo(f"Takeback registry at {address} (data {settings.data}, {what})"))


@registry.command()
@click.option(
    "--page", type=click.Path(path_type=Path), help="Folder of the built page on that machine [TAKEBACK_PAGE]"
)
@click.option("--host", help="Address where the registry listens [TAKEBACK_HOST; default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of the registry [TAKEBACK_PORT; default: 8000]")
@click.option("--name", required=True, help="The site's name, such as takeback.example")
@click.option("--certificate", required=True, help="File with the certificate chain")
@click.option("--certificate-key", required=True, help="File with the certificate's key")
def nginx(name: str, certificate: str, certificate_key: str, **options: object) -> None:
    """Print a configuration for nginx that serves the page over HTTPS and passes the API on."""
    from takeback.registry.operations.nginx import Tls, configuration

    settings = read_settings(os.environ, **options)
    click.echo(configuration(settings, name, Tls(certificate, certificate_key)), nl=False)


@registry.command()
@data_option
@_keys_option
@click.option("--page", type=click.Path(path_type=Path), help="Folder of the built page to serve too [TAKEBACK_PAGE]")
@click.option("--program", default=lambda: os.path.realpath(sys.argv[0]), help="Path of `takeback` [default: this one]")
@click.option("--environment", default="/etc/takeback.env", show_default=True, help="File with secret settings")
def systemd(program: str, environment: str, **options: object) -> None:
    """Print a systemd unit that runs the registry with the settings in the environment."""
    from takeback.registry.operations.systemd import unit

    click.echo(unit(read_settings(os.environ, **options), program, environment), nl=False)


@registry.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@data
def backup(file: Path, **where: object) -> None:
    """Write a consistent copy of the whole database to FILE while the registry runs. It does not include the keys."""
    from takeback.registry.data import open_data
    from takeback.registry.operations import backup as backups

    proof = backups.write(open_data(read_settings(os.environ, **where)), file)
    click.echo(f"{file} holds the feed up to number {proof.lines}, {proof.entries} entries, link {proof.link}")


@registry.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@data
def restore(file: Path, **where: object) -> None:
    """Restore FILE into an empty database, if the feed in it can be verified from the first line to the last."""
    from takeback.registry.data import open_data
    from takeback.registry.operations import backup as backups

    proof = backups.read(open_data(read_settings(os.environ, **where)), file)
    click.echo(f"restored: the feed up to number {proof.lines}, {proof.entries} entries, link {proof.link}")


@registry.command()
@data
@_keys_option
def check(**where: object) -> None:
    """Verify the whole feed and the keys, and that nothing is missing."""
    from takeback.registry.data import check_data

    proof = check_data(read_settings(os.environ, **where))
    click.echo(f"all is well: the feed up to number {proof.lines}, {proof.entries} entries, link {proof.link}")


@registry.group("feed-key")
def feed_key() -> None:
    """The key that signs the feed."""


@feed_key.command()
@data
def show(**where: object) -> None:
    """Show the public key, for platforms that want to verify it before their first sync."""
    from takeback.registry.data import open_data
    from takeback.registry.keys.feed_signing import public_keys

    keys = public_keys(open_data(read_settings(os.environ, **where)))
    click.echo(keys[-1].key if keys else "No key yet. The registry makes it when it first starts.")


@feed_key.command("rotate")
@data
@_keys_option
@click.option("--lost", is_flag=True, help="The old key is lost; give every platform the new one by hand")
def rotate_feed_key(lost: bool, **where: object) -> None:
    """Replace the feed key. The old key signs the new one, so that gates trust it by themselves."""
    from takeback.registry.data import open_data
    from takeback.registry.keys.feed_signing import rotate as rotate_key

    settings = read_settings(os.environ, **where)
    click.echo(rotate_key(open_data(settings), settings.feed_key, lost=lost).key)
    click.echo(
        f"Copy {settings.feed_key} to every machine that serves. Running processes reload it by themselves.", err=True
    )


@registry.group("pin-key")
def pin_key() -> None:
    """The key under which PINs are stored."""


@pin_key.command("show")
@data
@_keys_option
def show_pin_keys(**where: object) -> None:
    """Show the number of cases under each secret of the key, but not the secrets."""
    from takeback.registry.data import open_data, open_pin_key
    from takeback.registry.keys import pin_keys

    settings = read_settings(os.environ, **where)
    engine = open_data(settings)
    key = open_pin_key(engine, settings.pin_key)
    with engine.begin() as connection:
        _show_pin_keys(pin_keys.key_usage(connection, key))


@pin_key.command("rotate")
@data
@_keys_option
def rotate_pin_key(**where: object) -> None:
    """Store new PINs under a new secret. Existing cases open with their PINs as before."""
    from takeback.registry.data import open_data
    from takeback.registry.keys import pin_keys

    settings = read_settings(os.environ, **where)
    _show_pin_keys(pin_keys.rotate(open_data(settings), settings.pin_key))
    click.echo(f"Copy {settings.pin_key} to every machine that serves and to your backup, then restart them.", err=True)


def _show_pin_keys(held: "Sequence[PinKeyUsage]") -> None:
    click.echo(tabulated(("SECRET", "CASES"), [(one.name, str(one.cases)) for one in held]))
