"""`takeback gate pict-rs` and its options."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from takeback.integrations.options import asks, listen_address, whom


@click.command("pict-rs")
@click.option("--listen", default="127.0.0.1:8082", show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@asks
@click.option(
    "--review",
    type=click.Choice(["pass", "hold"]),
    default="pass",
    show_default=True,
    help="What asks for a review: take it and log its id, or refuse it.",
)
@click.option(
    "--when-away",
    type=click.Choice(["hold", "allow"]),
    default="hold",
    show_default=True,
    help="If nobody can decide: refuse uploads with 503, or take them unchecked.",
)
@click.option(
    "--max-megabytes", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Largest file taken."
)
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="Files checked at once.")
@click.option("--report", is_flag=True, help="Report blocked uploads, and reviews that passed, to the registry.")
def pict_rs(listen: str, home: str, sidecar: str, lookup: str, **others: Any) -> None:
    """Answer pict-rs, the image server of Lemmy, about its uploads (`external_validation`).

    TAKEBACK_PICTRS_TOKEN is the token that pict-rs must send: http://x:TOKEN@HOST:PORT/.
    """
    from takeback.integrations.pict_rs.app import PictRsOptions
    from takeback.integrations.pict_rs.server import TOKEN_VARIABLE, run_pict_rs

    threads, most = others["threads"], others["max_megabytes"] * 1_000_000
    options = PictRsOptions(
        # Twice as many files as are checked at once may wait in memory or on disk.
        most,
        max(1_000_000_000, 2 * threads * most),
        threads,
        others["review"],
        others["report"],
    )
    run_pict_rs(
        listen_address(listen),
        options,
        replace(whom(home, sidecar, lookup), when_away=others["when_away"]),
        os.environ.get(TOKEN_VARIABLE, ""),
        lambda address: click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} pict-rs is answered at {address}"),
    )
