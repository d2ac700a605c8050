"""Reads what a release says of the page: its manifest, checked by the release's sums and their signature."""

import gzip
import re
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec

from takeback.errors import ReleaseUnusable

MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
NAMESPACE: Final = "takeback-release"
"""What the signature is for, so that one made for something else with the same key does not count."""
SIGNER: Final = "takeback"
"""The name that a file of signers gives to the keys that may sign a release."""
PAGE: Final = re.compile(r"takeback-\S+-page\.tar\.gz")
MAX_MANIFEST: Final = 1 << 20
"""Bytes; today's takes 8 KB."""
MAX_FILES: Final = 10_000
MAX_FILE: Final = 256 << 20
"""Bytes of one file; the largest today, CPython as WebAssembly, has 9 MB."""
# `\Z` and not `$`, which in Python also matches before a line feed at the end.
PATH_PATTERN: Final = r"^(?!(.*/)?\.{1,2}(/|\Z))[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z"
"""Parts of plain letters, so that a path says the same in an address, on a disk and on a terminal; never `..`."""
SIGNATURE_SECONDS: Final = 30
_SUM: Final = re.compile(r"([0-9a-f]{64})  ([\w.+-]+)")


class ListedFile(msgspec.Struct, frozen=True):
    """A file of the page, as the manifest lists it. `size` is in bytes, `sha256` in hex; both are of the plain file."""

    path: Annotated[str, msgspec.Meta(pattern=PATH_PATTERN, max_length=255)]
    size: Annotated[int, msgspec.Meta(ge=0, le=MAX_FILE)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Manifest(msgspec.Struct):
    files: Annotated[list[ListedFile], msgspec.Meta(max_length=MAX_FILES)]


@dataclass(frozen=True, slots=True)
class Release:
    """What must be served: each file of the page by its path, the manifest itself among them.

    `signed` says whether a known key signed it; `digest` is the SHA-256 of the manifest, in hex.
    """

    files: Mapping[str, ListedFile]
    digest: str
    signed: bool = False


def read_release(place: Path, signers: Path | None = None) -> Release:
    """The release at `place`: its folder, the page's archive, a manifest, or a folder that was built.

    1. `SHA256SUMS` in the folder, where there is one, must hold for the file that is read.
    2. With `signers`, a file in the form of OpenSSH's `allowed_signers`, the sums must be signed by one of them.
    3. The manifest is read strictly.

    Raises `ReleaseUnusable`.
    """
    try:
        file = _page_of(place)
        sums = file.with_name(SUMS)
        if sums.is_file():
            _check_sum(file, sums)
        if signers is not None:
            # The sums are what is signed, so whoever removes them gains nothing: this fails without them.
            check_signature(sums, signers)
        return release_of(_manifest_in(file), signed=signers is not None)
    except (OSError, tarfile.TarError, zlib.error, EOFError) as error:
        raise ReleaseUnusable(f"{place} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def release_of(manifest: bytes, *, signed: bool = False) -> Release:
    """What a manifest lists, and the manifest itself. Raises `ReleaseUnusable`."""
    try:
        listed = msgspec.json.decode(manifest, type=_Manifest).files
    except msgspec.MsgspecError as error:
        raise ReleaseUnusable(f"the manifest is malformed: {error}") from error
    digest = sha256(manifest).hexdigest()
    # The manifest cannot know its own hash, so one that lists itself comes out a file short, and is refused below.
    files = {one.path: one for one in [*listed, ListedFile(MANIFEST, len(manifest), digest)]}
    if len(files) != len(listed) + 1:
        raise ReleaseUnusable("the manifest lists a file twice")
    if "index.html" not in files:
        raise ReleaseUnusable("the manifest lists no index.html")
    return Release(files, digest, signed)


def _page_of(place: Path) -> Path:
    """The file that holds the manifest. Raises `ReleaseUnusable`."""
    if place.is_file():
        return place
    if not place.is_dir():
        raise ReleaseUnusable(f"{place} is not there")
    found = [path for path in place.iterdir() if PAGE.fullmatch(path.name)] or [place / MANIFEST]
    if len(found) > 1:
        raise ReleaseUnusable(f"{place} holds {len(found)} releases; name one page archive")
    if not found[0].is_file():
        raise ReleaseUnusable(f"{place} holds neither a page archive (takeback-VERSION-page.tar.gz) nor {MANIFEST}")
    return found[0]


def _check_sum(file: Path, sums: Path) -> None:
    """Raises `ReleaseUnusable` unless `sums` holds for `file`."""
    lines = [_SUM.fullmatch(line) for line in sums.read_text("utf-8", "replace").splitlines()]
    listed = {line[2]: line[1] for line in lines if line}
    if len(listed) != len(lines):
        raise ReleaseUnusable(f"{sums} is malformed: expected a SHA-256, two spaces and a name on each line")
    if file.name not in listed:
        raise ReleaseUnusable(f"{sums} does not list {file.name}")
    with file.open("rb") as opened:
        if file_digest(opened, "sha256").hexdigest() != listed[file.name]:
            raise ReleaseUnusable(f"{file} was changed: its SHA-256 is not the one in {SUMS}; download it again")


def check_signature(sums: Path, signers: Path) -> None:
    """Raises `ReleaseUnusable` unless one of `signers` signed `sums`; OpenSSH's `ssh-keygen` decides."""
    signature = sums.with_name(SIGNATURE)
    for needed in (sums, signature, signers):
        if not needed.is_file():
            raise ReleaseUnusable(f"the signature cannot be checked: {needed} is not there")
    program = shutil.which("ssh-keygen")
    if program is None:
        raise ReleaseUnusable("the signature cannot be checked: ssh-keygen was not found; install OpenSSH's client")
    arguments = ["-f", str(signers), "-I", SIGNER, "-n", NAMESPACE, "-s", str(signature)]
    try:
        done = subprocess.run(  # noqa: S603 - arguments of our own, no shell
            [program, "-Y", "verify", *arguments],
            input=sums.read_bytes(),
            capture_output=True,
            check=False,
            timeout=SIGNATURE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ReleaseUnusable(f"ssh-keygen did not end within {SIGNATURE_SECONDS} seconds") from error
    if done.returncode:
        raise ReleaseUnusable(f"{signature} is not the signature of a key in {signers} over {SUMS}")


def _manifest_in(file: Path) -> bytes:
    """The bytes of the manifest, which `file` is or holds. Raises `ReleaseUnusable`."""
    if not file.name.endswith(".tar.gz"):
        return _limited(file.stat().st_size, file.read_bytes)
    # As a stream: it is read no further than the manifest, and nothing of it is written to disk.
    with gzip.open(file) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        for number, member in enumerate(archive):
            if number > MAX_FILES:
                break
            if member.isfile() and member.name.partition("/")[2] == MANIFEST:
                opened = archive.extractfile(member)
                assert opened
                return _limited(member.size, opened.read)
    raise ReleaseUnusable(f"{file} holds no {MANIFEST}")


def _limited(size: int, read: Callable[[], bytes]) -> bytes:
    """What `read` gives. Raises `ReleaseUnusable` if its `size`, in bytes, is over the limit."""
    if size > MAX_MANIFEST:
        raise ReleaseUnusable(f"the manifest has {size} bytes, which is over the limit of {MAX_MANIFEST}")
    return read()
