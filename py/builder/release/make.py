"""Makes a release in `build/release/`: wheel, sdist, the page, the WordPress plugin, lists, SBOMs and checksums.

The commit determines every byte: two clones give the same files on machines with the same Python, Node.js and npm. The
signature alone depends on who signs.
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder import ROOT, WORK, BuildError
from builder.release.requirement_lists import USES, requirement_list
from builder.release.sbom import make_sboms
from builder.release.wordpress import plugin_archive
from builder.setup.cache import sha256
from builder.site.assemble import build_site
from builder.steps import step
from takeback import __version__
from takeback.verify.release import NAMESPACE, SIGNATURE, SIGNER, SUMS

RELEASE: Final = WORK / "release"
KEY_VARIABLE: Final = "TAKEBACK_SIGNING_KEY"
"""The file of an SSH key, or of its public half where an agent holds the key."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a release is made from; `time` is in seconds since 1970."""

    id: str
    time: int


def make_release(folder: Path = RELEASE) -> Commit:
    """Fills `folder` with the release of the commit that is checked out; signs it if there is a key.

    Raises `BuildError` where something is not committed, or a tool fails.
    """
    # Before the folder is cleared, so that a refusal leaves the previous release in place.
    commit, key = clean_commit(), signing_key()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {"SOURCE_DATE_EPOCH": str(commit.time)}
    name = f"takeback-{__version__}"
    with step("building the wheel and the sdist"):
        wheel = _packages(folder, environment)
    with tempfile.TemporaryDirectory() as place, step("building the page"):
        build_site(Path(place))
        archive = page_archive(Path(place), f"{name}-page", commit.time)
        (folder / f"{name}-page.tar.gz").write_bytes(archive)
        shutil.copy(Path(place, "manifest.json"), folder / f"{name}-page-manifest.json")
    (folder / f"{name}-wordpress.zip").write_bytes(plugin_archive(commit.time))
    for use in USES:
        (folder / f"{name}-{use}.txt").write_text(requirement_list(wheel, use))
    with step("making the SBOMs"):
        for what, sbom in make_sboms(wheel, __version__, environment).items():
            (folder / f"{name}-{what}.cdx.json").write_bytes(sbom)
    (folder / SUMS).write_text(_sums(folder))
    if key:
        sign(folder / SUMS, key)
    return commit


def clean_commit() -> Commit:
    """The commit that is checked out. Raises `BuildError` if any file is new or changed since."""
    top = _git("rev-parse", "--show-toplevel")
    if Path(top) != ROOT:
        raise BuildError("a release is made from a clone with its history, and this folder is not one")
    # The option is given because a user's git configuration may hide untracked files.
    if changed := _git("status", "--porcelain", "--untracked-files=normal").splitlines():
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise BuildError(
            f"a release is made from what is committed, and {changed[0].split(maxsplit=1)[1]}{more} is not: commit, "
            "ignore or remove it, then run the same command again"
        )
    commit, time = _git("log", "-1", "--format=%H %ct").split()
    return Commit(commit, int(time))


def _git(*arguments: str) -> str:
    """The output of git. Raises `BuildError` if git is missing or this is not a clone."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BuildError("git was not found: install it (Debian: `apt-get install git`)") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise BuildError(f"a release is made from a clone with its history: {said[0].removeprefix('fatal: ')}")
    return done.stdout.strip("\n")


def signing_key() -> Path | None:
    """The key named by the environment, if any. Raises `BuildError` if its file or ssh-keygen is missing."""
    given = os.environ.get(KEY_VARIABLE)
    if not given:
        return None
    key = Path(given).expanduser()
    if not key.is_file():
        raise BuildError(f"{KEY_VARIABLE} names {key}, which is not there: give the file of an SSH key")
    if shutil.which("ssh-keygen") is None:
        raise BuildError("ssh-keygen was not found: install OpenSSH's client, or release without a signature")
    return key


def _packages(folder: Path, environment: dict[str, str]) -> Path:
    """Builds the sdist and the wheel into `folder`; the wheel's path. Raises `BuildError`."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise BuildError(f"the wheel could not be built: {said[-1]}")
    (wheel,) = folder.glob("*.whl")
    return wheel


def page_archive(site: Path, name: str, time: int) -> bytes:
    """A tar.gz of every file of `site`, in the folder `name`: sorted, owned by root, all of one `time`."""
    out = io.BytesIO()
    with (
        # gzip's header holds a file name and a time, which would differ between machines.
        gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=time) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(f"{name}/{path.relative_to(site).as_posix()}")
            member.size, member.mtime, member.uname, member.gname = path.stat().st_size, time, "root", "root"
            with path.open("rb") as file:
                archive.addfile(member, file)
    return out.getvalue()


def _sums(folder: Path) -> str:
    """The SHA-256 of each file, in the form of `sha256sum`."""
    return "".join(f"{sha256(path.read_bytes())}  {path.name}\n" for path in sorted(folder.iterdir()))


def sign(sums: Path, key: Path) -> None:
    """Writes the SSH signature of `sums` beside it. Raises `BuildError`."""
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(sums)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)  # it may ask for a passphrase
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise BuildError(f"the release is made and not signed: {said[-1]}")


def how_to_verify(folder: Path, commit: Commit) -> str:
    """Text for whoever made a release: its files, and the commands that verify them."""
    where = folder.relative_to(ROOT)
    sizes = "".join(f"  {path.stat().st_size:>12,}  {path.name}\n" for path in sorted(folder.iterdir()))
    signed = (folder / SIGNATURE).exists()
    checks = ["sha256sum --check SHA256SUMS"]
    if signed:
        checks.append(f"ssh-keygen -Y verify -f allowed_signers -I {SIGNER} -n {NAMESPACE} -s {SIGNATURE} < {SUMS}")
    checks.append(f"takeback verify https://SITE --release .{' --signers allowed_signers' if signed else ''}")
    note = (
        f"\nallowed_signers holds a line: {SIGNER}, and the public key.\n"
        if signed
        else f"\nIt is not signed: set {KEY_VARIABLE} to the file of an SSH key, and run this again.\n"
    )
    steps = "".join(f"  {check}\n" for check in checks)
    return (
        f"{where}/ holds takeback {__version__} of commit {commit.id}:\n{sizes}Check it, in that folder:\n{steps}{note}"
    )
