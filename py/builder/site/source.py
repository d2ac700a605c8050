"""`source.zip`: what this page is built from, served beside it, so that anyone can build it again and compare."""

from pathlib import Path
from typing import Final

from builder import ROOT, BuildError
from builder.runtime.zips import stored_zip

NAME: Final = "source.zip"
PARTS: Final = (
    *(".python-version", "CHANGELOG.md", "LICENSE", "NOTICE", "README.md", "build.py", "package-lock.json"),
    *("package.json", "py", "pyproject.toml", "web"),
)
"""Files and folders; without the tests, whose pictures are larger than all the rest."""
_MADE: Final = frozenset({".so", ".dylib", ".dll", ".pyc", ".pyd"})


def source_zip(root: Path = ROOT) -> bytes:
    """The archive, the same bytes for the same files on any machine. Raises `BuildError`."""
    try:
        paths = [path for part in PARTS for path in _files(root / part)]
        return stored_zip({f"takeback/{path.relative_to(root).as_posix()}": path.read_bytes() for path in paths})
    except OSError as error:
        raise BuildError(f"{error.filename} cannot be read ({error.strerror})") from error


def _files(part: Path) -> list[Path]:
    """The files of a part that somebody wrote: nothing that a build leaves behind."""
    if part.is_file():
        return [part]
    return [path for path in part.rglob("*") if path.is_file() and path.suffix not in _MADE]
