"""`takeback verify`: whether a site serves a release, on the command line.

Exit status: 0 the site serves the release, 2 it does not, or the two could not be compared.
"""

import sys
from pathlib import Path
from typing import Final

import click

from takeback.verify.compare import check_home, compare, own_release
from takeback.verify.release import Release, read_release
from takeback.verify.site import ServedSite

DIFFERS: Final = 2


@click.command()
@click.argument("address", metavar="URL")
@click.option(
    "--release",
    "place",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="The release: its folder, its page archive, a manifest.json, or a dist/ that you built.",
)
@click.option(
    "--signers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keys that may sign a release, as in OpenSSH's allowed_signers, under the name takeback.",
)
def verify(address: str, place: Path | None, signers: Path | None) -> None:
    """Compare what the site at URL serves with a release, and name each file that differs.

    Every file of the page is fetched plain, as gzip and as brotli, and compared with the release's manifest. A folder
    or archive with SHA256SUMS beside it is checked by that first, and by its signature with --signers. Without
    --release the site is compared with its own manifest alone. What is compared is what the site serves to this
    computer now: run it from elsewhere too. Response headers are not compared.

    Exit status: 0 if nothing differs, 2 if something does or the two could not be compared.
    """
    if signers and not place:
        raise click.UsageError("--signers needs --release: a site's own manifest carries no signature")
    release = read_release(place, signers) if place else None
    with ServedSite(address) as site:
        check_home(site)
        release = release or own_release(site)
        answers = faults = 0
        for compared in compare(site, release):
            answers += 1
            if compared.fault:
                faults += 1
                click.echo(compared.text())
        click.echo(_summary(site.address, release, answers, faults, itself=place is None), err=bool(faults))
    sys.exit(DIFFERS if faults else 0)


def _summary(address: str, release: Release, answers: int, faults: int, *, itself: bool) -> str:
    """The last line: what was found, compared with what, and how far that can be trusted."""
    what = "its own manifest" if itself else "the signed release" if release.signed else "the release"
    found = (
        f"{address} does not serve {what}: {faults} of {answers} answers differ"
        if faults
        else f"{address} serves {what}: {len(release.files)} files, {answers} answers compared"
    )
    advice = "; compare that with a release by --release" if itself else ""
    return f"{found} (manifest SHA-256 {release.digest}{advice})"
