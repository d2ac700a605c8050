"""Makes the wheel of the hashing core for browsers, which any page with the pinned release of Pyodide can load.

pyodide-build determines the tag, and its `py-compile` makes the bytecode, run by the release's own interpreter under
Node. pyodide-lock adds the wheel to the lock file that ships. The page's own runtime takes the hashing core from this
wheel.
"""

import hashlib
import tempfile
import tomllib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest.mock import patch

from attrs import evolve
from auditwheel_emscripten import show
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.version import Version
from pyodide_build import build_env
from pyodide_lock import PyodideLockSpec
from pyodide_lock.spec import InfoSpec
from pyodide_lock.utils import add_wheels_to_spec, update_package_sha256

from builder import ROOT, BuildError
from builder.native.kernel import KERNEL, build_for_webassembly
from builder.native.kernel_check import check_kernel
from builder.runtime.pyodide_release import release_info
from builder.runtime.zips import read_zip, stored_zip
from builder.setup.pins import Pins
from takeback import __version__

NAME: Final = "takeback-hashing"
NEEDED: Final = frozenset({"imagehash", "pillow"})
"""The packages that the hashing core imports."""
NATIVE: Final = frozenset(
    {
        "commands.py",
        "confine.py",
        "drawing.py",
        "edits.py",
        "moving_box.py",
        "process.py",
        "rehearsal.py",
        "size.py",
        "video.py",
    }
)
"""Modules of the shared core that browsers do not need: there, videos are hashed by JavaScript."""
_STEM: Final = f"{NAME.replace('-', '_')}-{__version__}"
_DIST_INFO: Final = f"{_STEM}.dist-info"


@dataclass(frozen=True, slots=True)
class SourceWheel:
    """A wheel of sources: its file name, and its bytes."""

    name: str
    source: bytes


@dataclass(frozen=True, slots=True)
class BrowserWheel(SourceWheel):
    """The wheel that ships: `data` are its bytes, compiled from `source`."""

    data: bytes

    def modules(self) -> dict[str, bytes]:
        """Returns its bytecode and the kernel by their path in `site-packages`, without the `.dist-info`."""
        return {name: data for name, data in read_zip(self.data).items() if not name.startswith(_DIST_INFO)}


def source_wheel(pins: Pins) -> SourceWheel:
    """Returns the wheel for the pinned release before compilation. Raises `BuildError`."""
    tag = wheel_tag(release_info(pins))
    kernel = build_for_webassembly()
    check_kernel(kernel)
    members = {**own_sources(), KERNEL.inside: kernel, **_description(tag)}
    return SourceWheel(f"{_STEM}-{tag}.whl", with_record(members))


def finish_wheel(wheel: SourceWheel, compiled: bytes) -> BrowserWheel:
    """The wheel that ships: `compiled` is what `pyodide py-compile` made of `wheel`.

    The record is written anew, because the command keeps that of the sources. Raises `BuildError` when auditwheel finds
    a library other than the kernel.
    """
    data = with_record(read_zip(compiled))
    check_libraries(data)
    return BrowserWheel(wheel.name, wheel.source, data)


def wheel_tag(info: InfoSpec) -> Tag:
    """Returns the tag that pyodide-build gives a wheel with compiled code for the release.

    pyodide-build would download a cross-build environment and have `make` read the release's versions from it. The
    release's own lock file has them too, so they are passed in.
    """
    python = Version(info.python)
    versions = {
        "PYODIDE_ABI_VERSION": info.abi_version,
        "PYODIDE_EMSCRIPTEN_VERSION": info.platform.partition("_")[2].replace("_", "."),
        "PYMAJOR": str(python.major),
        "PYMINOR": str(python.minor),
    }
    with patch.object(build_env, "get_build_flag", versions.__getitem__):
        platform = build_env.wheel_platform()
        tag: Tag = next(tag for tag in build_env.pyodide_tags_() if tag.platform == platform)
    return tag


def own_sources() -> dict[str, bytes]:
    """Returns the sources of this package's shared core by their path in `site-packages`, without its command line."""
    package = ROOT / "py" / "takeback"
    paths = [package / f"{name}.py" for name in ("__init__", "errors", "signals")]
    paths += [path for path in (package / "hashing").glob("*.py") if path.name not in NATIVE]
    return {path.relative_to(package.parent).as_posix(): path.read_bytes() for path in paths}


def _description(tag: Tag) -> dict[str, bytes]:
    """The members of `.dist-info` except the record (PEP 427, PEP 639)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    licences = project["license-files"]
    about = [
        "Metadata-Version: 2.4",
        f"Name: {NAME}",
        f"Version: {__version__}",
        "Summary: The hashing core of Takeback for Pyodide: PDQ, vPDQ, phash, SHA-256 and MD5 of a picture",
        f"License-Expression: {project['license']}",
        *(f"License-File: {name}" for name in licences),
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {line}" for line in project["dependencies"] if Requirement(line).name in NEEDED),
    ]
    wheel = f"Wheel-Version: 1.0\nGenerator: takeback {__version__}\nRoot-Is-Purelib: false\nTag: {tag}\n"
    return {
        f"{_DIST_INFO}/METADATA": "\n".join([*about, ""]).encode(),
        f"{_DIST_INFO}/WHEEL": wheel.encode(),
        **{f"{_DIST_INFO}/licenses/{name}": (ROOT / name).read_bytes() for name in licences},
    }


def with_record(members: dict[str, bytes]) -> bytes:
    """Returns a wheel of `members` with a new `RECORD` of their digests (PEP 376)."""
    record = f"{_DIST_INFO}/RECORD"
    lines = [
        f"{name},sha256={urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in sorted(members.items())
        if name != record
    ]
    # RECORD lists itself without a digest (PEP 376).
    return stored_zip({**members, record: "".join([*lines, f"{record},,\n"]).encode()})


def check_libraries(wheel: bytes) -> None:
    """Raises `BuildError` unless `pyodide auditwheel` finds only the kernel in the wheel, without dependencies."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in read_zip(wheel).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        found = show(folder)
    if found != {KERNEL.inside: ([], [])}:
        raise BuildError(f"the browser's wheel must hold the kernel alone, which needs no library, not {found}")


def add_to_lock(lock: PyodideLockSpec, wheel: BrowserWheel) -> PyodideLockSpec:
    """The lock with the wheel added, as `pyodide lockfile add-wheels` does. The lock must hold what the wheel needs.

    pyodide-lock 0.2 lists what can be imported by looking for `.py` files, so it reads the wheel of sources. It also
    expects the platform of the wheel's tag to be `info.platform`, which is `emscripten_5_0_3` where the release's own
    wheels say `pyemscripten_2026_0`; for the time of the call `info` has the platform of the tag.
    """
    *_, platform = wheel.name.removesuffix(".whl").split("-")
    info = evolve(lock.info, platform=platform.removesuffix(f"_{lock.info.arch}"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, wheel.name)
        path.write_bytes(wheel.source)
        added = add_wheels_to_spec(evolve(lock, info=info), [path])
        path.write_bytes(wheel.data)
        update_package_sha256(added.packages[NAME], path)
    return evolve(added, info=lock.info)
