"""The second set: photographs of Debian packages, to which nothing is tuned. `photographs.tsv` lists them.

apt fetches the packages; nothing is installed, and nothing of them is copied into the repository.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from builder import WORK

LIST: Final = Path(__file__).with_name("photographs.tsv")
HOME: Final = WORK / "bench" / "photographs"
"""Where the files are kept, each under its sha256, so that a later run fetches only what the list has new."""
VIDEO: Final = "video"
"""The scene of a video."""
_WEBP: Final = re.compile(rb"RIFF(....)WEBP", re.DOTALL)


class Photograph(NamedTuple):
    """A line of the list: the package and its version, the scene of a series or `-`, and the file in the package."""

    package: str
    version: str
    scene: str
    sha256: str
    path: str

    @property
    def file(self) -> Path:
        """Where the photograph is kept."""
        return HOME / (self.sha256 + (".webp" if "#" in self.path else Path(self.path).suffix))

    @property
    def name(self) -> str:
        """A short name for the report."""
        return f"{self.package}/{Path(self.path).name}"


class SecondSet(NamedTuple):
    """The photographs that are there, and for each package that could not be had the reason."""

    photographs: list[Photograph]
    missing: list[str]


def second_set() -> SecondSet:
    """Fetches what is not there yet."""
    lines = LIST.read_text("utf-8").splitlines()
    listed = [Photograph(*line.split("\t")) for line in lines if not line.startswith("#")]
    missing = []
    HOME.mkdir(parents=True, exist_ok=True)
    for package, of in groupby(listed, lambda one: one.package):
        wanted = [one for one in of if not one.file.is_file()]
        if wanted and (why := _fetch(package, wanted)):
            missing.append(f"{package}: {why}")
    return SecondSet([one for one in listed if one.file.is_file()], missing)


def described(photographs: Iterable[Photograph]) -> str:
    """The packages in one sentence."""
    counts = [
        f"{package} {version} ({sum(1 for _ in of)})"
        for (package, version), of in groupby(photographs, lambda one: (one.package, one.version))
    ]
    return ", ".join(counts)


def _fetch(package: str, wanted: Iterable[Photograph]) -> str:
    """Takes the wanted files out of a package; returns why some of them are missing, else nothing."""
    with tempfile.TemporaryDirectory() as folder:
        if why := unpack(package, Path(folder)):
            return why
        lost = [one.path for one in wanted if not _keep(one, Path(folder))]
    return f"{len(lost)} files are not in this version of the package, or are other files: {lost[0]}" if lost else ""


def unpack(package: str, folder: Path) -> str:
    """Fetches a package and unpacks it into an empty folder; returns why not, else nothing."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "there is no apt on this machine"
    command = ["apt-get", "download", "--quiet", package]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    archives = list(folder.glob("*.deb"))
    if done.returncode or not archives:
        return f"apt-get download failed, perhaps because `apt-get update` must run first: {done.stderr.strip()[:200]}"
    subprocess.run(["dpkg-deb", "-x", archives[0], folder], check=True)
    return ""


def _keep(one: Photograph, folder: Path) -> bool:
    """Copies a file out of the unpacked package, if it is the one that is listed."""
    path, _, number = one.path.partition("#")
    try:
        data = (folder / path).read_bytes()
    except OSError:
        return False
    found = list(_pictures_in(data)) if number else [data]
    place = int(number or 0)
    if place >= len(found) or sha256(found[place]).hexdigest() != one.sha256:
        return False
    one.file.write_bytes(found[place])
    return True


def _pictures_in(resources: bytes) -> Iterator[bytes]:
    """The WebP files in a resource file of Qt, which stores them as they are."""
    at = 0
    while found := _WEBP.search(resources, at):
        at = found.start() + 8 + int.from_bytes(found[1], "little")
        yield resources[found.start() : at]
