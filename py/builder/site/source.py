"""`source.zip`: the page's sources, served beside it, so that anyone can rebuild it and compare."""

from pathlib import Path
from typing import Final

from builder import ROOT, BuildError
from builder.runtime.zips import stored_zip

NAME: Final = "source.zip"
PARTS: Final = (
    *(".python-version", "CHANGELOG.md", "LICENSE", "NOTICE", "README.md", "build.py", "package-lock.json"),
    *("package.json", "py", "pyproject.toml", "web"),
)
"""Files and folders; without the tests, whose pictures are larger than everything else."""
_MADE: Final = frozenset({".so", ".dylib", ".dll", ".pyc", ".pyd"})


def source_zip(root: Path = ROOT) -> bytes:
    """Returns the archive, with the same bytes for the same files on any machine. Raises `BuildError`."""
    try:
        paths = [path for part in PARTS for path in _files(root / part)]
        return stored_zip({f"takeback/{path.relative_to(root).as_posix()}": path.read_bytes() for path in paths})
    except OSError as error:
        raise BuildError(f"{error.filename} cannot be read ({error.strerror})") from error


def _files(part: Path) -> list[Path]:
    """The source files of a part, without build products."""
    if part.is_file():
        return [part]
    return [path for path in part.rglob("*") if path.is_file() and path.suffix not in _MADE]
