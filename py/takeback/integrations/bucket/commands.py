"""`takeback gate bucket` and its options."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from takeback import how_to_install
from takeback.errors import SettingsError
from takeback.integrations.options import asks, listen_address, whom

_CONSEQUENCES: Final = click.Choice(["quarantine", "tag", "nothing"])


@click.command()
@click.option("--bucket", "buckets", multiple=True, required=True, metavar="NAME", help="To be watched. Repeatable.")
@click.option("--quarantine", default="", metavar="BUCKET[/PREFIX]", help="Where objects are moved: not public.")
@click.option(
    "--block",
    type=click.Choice(["quarantine", "tag"]),
    default="quarantine",
    show_default=True,
    help="What becomes of a listed picture.",
)
@click.option("--review", type=_CONSEQUENCES, default="tag", show_default=True, help="What becomes of a doubtful one.")
@click.option("--tag-allowed", is_flag=True, help="Tag what passes too, so that a sweep passes over it.")
@click.option("--listen", default="127.0.0.1:8083", show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option("--queue", default="", metavar="FILE", help="Keeps notifications until they are decided.")
@click.option("--endpoint", default="", metavar="URL", help="The store, if it is not Amazon's.")
@asks
@click.option(
    "--max-megabytes", type=click.IntRange(1, 5000), default=100, show_default=True, help="Largest object checked."
)
@click.option(
    "--fetch-seconds", type=click.IntRange(1, 3600), default=300, show_default=True, help="Time for one object."
)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Objects checked at once.")
@click.option("--report", is_flag=True, help="Report what is blocked or doubtful to the registry.")
@click.option("--log-keys", is_flag=True, help="Name objects in the log. Keys may tell who a person is.")
@click.option("--sweep", is_flag=True, help="Check what is there and has no tag, and end.")
@click.option("--prefix", default="", help="With --sweep: only keys that begin so.")
@click.option("--all", "everything", is_flag=True, help="With --sweep: also what has a tag.")
@click.pass_context
def bucket(
    ctx: click.Context, /, buckets: tuple[str, ...], quarantine: str, listen: str, queue: str, **others: Any
) -> None:
    """Check what is uploaded to an S3-compatible store, by its event notifications.

    Credentials are taken from where AWS's tools find them. TAKEBACK_BUCKET_TOKEN is the token that the store must
    send. A sweep exits with 1 if anything could not be decided.
    """
    try:
        from takeback.integrations.bucket.inspector import InspectorOptions
        from takeback.integrations.bucket.server import TOKEN_VARIABLE, BucketService, run_sweep, run_webhook
        from takeback.integrations.bucket.store import StoreOptions
    except ModuleNotFoundError as error:
        raise SettingsError(f"this needs more packages ({error.name}): {how_to_install('bucket')}") from error

    held, _, prefix = quarantine.partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    if not held and "quarantine" in {others["block"], others["review"]}:
        raise SettingsError("name the quarantine with --quarantine BUCKET[/PREFIX], or set --block tag")
    if held in buckets and not prefix:
        raise SettingsError("a quarantine within a watched bucket needs a prefix: --quarantine BUCKET/PREFIX")
    options = InspectorOptions(
        frozenset(buckets),
        held,
        prefix,
        others["block"],
        others["review"],
        others["tag_allowed"],
        others["report"],
        others["log_keys"],
    )
    endpoint, workers = _endpoint(others["endpoint"]), others["workers"]
    # More connections than workers, because an object that is checked may be looked up meanwhile.
    store = StoreOptions(endpoint, others["max_megabytes"] * 1_000_000, others["fetch_seconds"], workers + 2)
    service = BucketService(whom(others["home"], others["sidecar"], others["lookup"]), store, options, workers)
    if others["sweep"]:
        swept = run_sweep(service, others["prefix"], everything=others["everything"])
        click.echo(str(swept))
        ctx.exit(1 if swept.undecided else 0)
    if not queue:
        raise SettingsError("name a file for notifications with --queue FILE, or check what is there with --sweep")
    run_webhook(
        service,
        listen_address(listen),
        Path(queue),
        os.environ.get(TOKEN_VARIABLE, ""),
        lambda address: click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} the webhook answers at {address}"),
    )


def _endpoint(url: str) -> str:
    """Returns the store's address without a slash at its end. Raises `SettingsError`.

    Plain HTTP is accepted, because a store of one's own is usually reached over a private network.
    """
    if url and not url.startswith(("http://", "https://")):
        raise SettingsError("--endpoint must begin with https:// or http://")
    return url.rstrip("/")
