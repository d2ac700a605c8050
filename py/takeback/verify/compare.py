"""What a site serves, file by file, beside what a release says."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from takeback.errors import ReleaseUnusable, SiteUnreachable
from takeback.verify.release import MANIFEST, MAX_MANIFEST, ListedFile, Release, release_of
from takeback.verify.site import ENCODINGS, Served, ServedSite, Undecodable, unpacked

OK: Final = 200
NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer of the site: the `path` and the content coding that were asked for, and its `fault`, if any."""

    path: str
    encoding: str
    fault: str | None = None

    def text(self) -> str:
        """One line for people."""
        form = "" if self.encoding == ENCODINGS[0] else f" ({self.encoding})"
        return f"{self.path}{form}: {self.fault or 'same'}"


def check_home(site: ServedSite) -> None:
    """Raises `SiteUnreachable` where the site's first page is at another address, or nothing answers."""
    # Told once, here: `get` follows no redirect, so every single file would differ.
    status = site.get("/", ENCODINGS[0], 0).status
    if 300 <= status < 400:
        raise SiteUnreachable(
            f"{site.address} redirects elsewhere (status {status}): give the address that it leads to"
        )


def own_release(site: ServedSite) -> Release:
    """What the site says of itself. Raises `SiteUnreachable`, and `ReleaseUnusable` for a site that says nothing."""
    served = site.get(f"/{MANIFEST}", ENCODINGS[0], MAX_MANIFEST)
    if served.status != OK or len(served.body) > MAX_MANIFEST:
        raise ReleaseUnusable(f"{site.address} serves no {MANIFEST} (status {served.status}); is it a Takeback site?")
    return release_of(served.body)


def compare(site: ServedSite, release: Release) -> Iterator[Compared]:
    """Asks for each file of `release` in each form, and for what the site lists besides. Raises `SiteUnreachable`."""
    for name, listed in sorted(release.files.items()):
        # Browsers ask for `/`, which a site could answer with something else than /index.html.
        for path in [f"/{name}", *(["/"] if name == "index.html" else [])]:
            for encoding in ENCODINGS:
                yield Compared(path, encoding, fault(site.get(path, encoding, listed.size), listed, encoding))
    # What a site serves but does not list cannot be found by asking.
    for name in sorted(_listed_by(site) - release.files.keys()):
        yield Compared(f"/{name}", ENCODINGS[0], "extra: the site lists it, the release does not")


def fault(served: Served, listed: ListedFile, asked: str) -> str | None:
    """What is wrong with an answer to somebody who `asked` for a content coding, if anything is."""
    if served.status != OK:
        return "missing" if served.status == NOT_FOUND else f"status {served.status} instead of {OK}"
    # A server may ignore Accept-Encoding and answer plain (RFC 9110, section 12.5.3).
    if served.encoding not in {asked, ENCODINGS[0]}:
        return "differs: it is encoded in a way that was not asked for"
    try:
        plain = unpacked(served, listed.size)
    except Undecodable:
        return f"differs: it is not valid {served.encoding}"
    if len(plain) > listed.size:
        return f"differs: more than the release's {listed.size} bytes"
    digest = sha256(plain).hexdigest()
    if digest != listed.sha256:
        return f"differs: {len(plain)} bytes with SHA-256 {digest}, the release has {listed.size} with {listed.sha256}"
    return None


def _listed_by(site: ServedSite) -> set[str]:
    """The paths that the site's own manifest lists; none if it is unreadable, which `compare` has told by then."""
    try:
        return set(own_release(site).files)
    except ReleaseUnusable:
        return set()
