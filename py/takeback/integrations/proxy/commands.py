"""`takeback gate proxy` and its options."""

import os
import re
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

import click

from takeback.connections import check_address
from takeback.errors import SettingsError
from takeback.gate.settings import HOME_VARIABLE
from takeback.integrations.checker import LOOKUP_KEY, TOKEN, CheckerSettings
from takeback.integrations.options import listen_address
from takeback.integrations.proxy.routes import CheckedRoute

_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


@click.command()
@click.option("--listen", default="127.0.0.1:8081", show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option("--upstream", required=True, metavar="URL", help="The application, http://HOST[:PORT].")
@click.option(
    "--route",
    "routes",
    multiple=True,
    required=True,
    metavar="'METHOD PATH HOW'",
    help="Uploads to be checked, such as 'POST /api/v1/media field=file'; HOW is field=NAME[,NAME], raw or tus. "
    "* in a path is anything but /, ** anything; * in a name is anything. Repeatable.",
)
@click.option("--home", envvar=HOME_VARIABLE, default="", help=f"The gate's folder; also {HOME_VARIABLE}.")
@click.option("--sidecar", default="", metavar="URL", help="Ask a running `gate serve` instead of opening the folder.")
@click.option("--lookup", default="", metavar="URL", help=f"Ask a look-up service; {LOOKUP_KEY} is the site's key.")
@click.option(
    "--max-upload",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="Megabytes of a checked request or tus upload.",
)
@click.option(
    "--max-waiting",
    type=click.IntRange(1, 1_000_000),
    default=4000,
    show_default=True,
    help="Megabytes of all that are kept at once.",
)
@click.option(
    "--body-seconds", type=click.IntRange(1, 86_400), default=3600, show_default=True, help="Time for an upload's body."
)
@click.option(
    "--upstream-seconds",
    type=click.IntRange(1, 86_400),
    default=600,
    show_default=True,
    help="For which the application may be silent.",
)
@click.option("--block-status", type=click.IntRange(400, 499), default=422, show_default=True)
@click.option("--block-text", default="", help="What people read of an upload that is refused.")
@click.option(
    "--review",
    type=click.Choice(["pass", "hold"]),
    default="pass",
    show_default=True,
    help="What asks for a review: pass it on, marked in the header Takeback-Decision, or refuse it.",
)
@click.option(
    "--when-away",
    type=click.Choice(["pass", "refuse"]),
    default="refuse",
    show_default=True,
    help="If the gate cannot decide: pass uploads on unchecked, or refuse them with 503.",
)
@click.option("--report", is_flag=True, help="Report blocked uploads, and reviews that passed, to the registry.")
@click.option(
    "--trusted-proxy",
    multiple=True,
    default=_LOOPBACK,
    metavar="NETWORK",
    help="Whose X-Forwarded-* are kept  [this machine]. Repeatable.",
)
def proxy(listen: str, upstream: str, routes: tuple[str, ...], home: str, **others: Any) -> None:
    """Check uploads on their way to an application, as a reverse proxy.

    TAKEBACK_GATE_TOKEN sets the sidecar's token. Without --sidecar run `gate watch` as well.
    """
    from takeback.integrations.proxy.answers import BLOCKED_TEXT, Words
    from takeback.integrations.proxy.app import ProxyOptions
    from takeback.integrations.proxy.server import run_proxy
    from takeback.integrations.proxy.upstream import UpstreamOptions

    sidecar, lookup = others["sidecar"], others["lookup"]
    if sidecar and lookup:
        raise SettingsError("give either --sidecar or --lookup")
    if not (home or sidecar or lookup):
        raise SettingsError(
            f"give the gate's folder with --home or {HOME_VARIABLE}, a sidecar with --sidecar, or --lookup"
        )
    upstream = _origin(upstream, "--upstream")
    sidecar = _origin(sidecar, "--sidecar") if sidecar else ""
    words = Words(others["block_status"], others["block_text"] or BLOCKED_TEXT)
    options = ProxyOptions(
        tuple(map(CheckedRoute.parse, routes)),
        others["max_upload"] * 1_000_000,
        others["max_waiting"] * 1_000_000,
        others["body_seconds"],
        others["review"],
        others["when_away"],
        others["report"],
        words,
    )
    trusted = tuple(map(_network, others["trusted_proxy"]))
    run_proxy(
        listen_address(listen),
        options,
        UpstreamOptions(upstream, others["upstream_seconds"], trusted),
        CheckerSettings(sidecar, os.environ.get(TOKEN, ""), home, lookup, os.environ.get(LOOKUP_KEY, "")),
        lambda address: click.echo(
            f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} the proxy answers at {address} and passes on to {upstream}"
        ),
    )


def _origin(address: str, option: str) -> str:
    """Reads http[s]://HOST[:PORT], and returns it without a slash at its end. Raises `SettingsError`.

    Plain HTTP is accepted, because both are usually reached over a private network, as from any reverse proxy.
    """
    origin = address.rstrip("/")
    check_address(re.sub("^http:", "https:", origin), option, "uploads could be read in transit")
    if urlsplit(origin).path:
        raise SettingsError(f"{option} must have no path: expected http://HOST[:PORT]")
    return origin


def _network(text: str) -> IPv4Network | IPv6Network:
    """Reads a network or an address. Raises `SettingsError`."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise SettingsError(f"--trusted-proxy {text} is not a network, such as 10.0.0.0/8") from error
