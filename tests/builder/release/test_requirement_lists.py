"""What a release is installed from: everything that is needed, by hash, and nothing else."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from builder import BuildError
from builder.release.requirement_lists import USES, lock_blocks, locked, needed, requirement_list

METADATA = """\
Metadata-Version: 2.4
Name: takeback
Version: 1.2.3
Provides-Extra: gate
Requires-Dist: click>=8.3
Requires-Dist: httpx>=0.28; extra == 'gate'
Requires-Dist: litestar>=2.22; extra == 'registry'
Requires-Dist: colorama; sys_platform == 'win32'
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel that needs a few packages."""
    path = tmp_path / "takeback-1.2.3-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr("takeback-1.2.3.dist-info/METADATA", METADATA)
    return path


def test_a_list_has_the_wheel_and_what_it_needs(wheel: Path) -> None:
    """The list of a use names the wheel with its extras, and each package that these lead to, all with hashes."""
    text = requirement_list(wheel, "gate")
    names = [line.partition("==")[0] for line in text.splitlines() if "==" in line]
    assert names == ["anyio", "certifi", "click", "h11", "httpcore", "httpx", "idna", "typing-extensions"]
    assert f"./{wheel.name}[{','.join(USES['gate'])}] --hash=sha256:" in text
    assert "\n--only-binary :all:\n" in text
    assert all(lock_blocks()[name].count("--hash=sha256:") for name in names)


def test_markers_are_obeyed() -> None:
    """What another platform or another extra needs is left out; what one of our Pythons needs is in."""
    requirements = [
        "click; sys_platform == 'win32'",
        "idna; extra == 'other'",
        "h11; extra == 'mine'",
        "certifi; python_version < '3.13'",
        "sniffio; python_version < '3.12'",
    ]
    assert needed(requirements, ["mine"]) == {"h11", "certifi"}


def test_extras_of_what_is_needed_are_followed() -> None:
    """A package with an extra brings what the extra needs."""
    assert "websockets" in needed(["uvicorn[standard]"], [])
    assert "websockets" not in needed(["uvicorn"], [])


def test_what_is_not_locked_is_told(wheel: Path) -> None:
    """A package that the lock does not have stops the release, and is named."""
    with ZipFile(wheel, "w") as archive:
        archive.writestr("takeback-1.2.3.dist-info/METADATA", METADATA + "Requires-Dist: no-such-package\n")
    with pytest.raises(BuildError, match=r"no-such-package is needed by the wheel, and requirements\.lock does not"):
        locked(wheel, [])
