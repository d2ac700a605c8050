"""`build.py audit`: asks the advisory services whether any package in the lock files has a known vulnerability.

pip-audit covers the Python packages and the wheels of the browser's runtime, npm the JavaScript packages. Nothing is
installed or changed. Their own variables select another service: `PIP_AUDIT_VULNERABILITY_SERVICE`,
`PIP_AUDIT_OSV_URL`, `npm_config_registry`.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from builder import ROOT, WORK, BuildError
from builder.setup.pins import read_pins
from builder.steps import step

PYTHON_LOCKS: Final = tuple(
    sorted([*(ROOT / "py").glob("requirements*.lock"), *(ROOT / "tests" / "bench").glob("*.lock")])
)
NODE_LOCKS: Final = (
    ROOT / "package-lock.json",
    *(lock for top in ("py", "tests") for lock in sorted((ROOT / top).glob("**/package-lock.json"))),
)
LOG: Final = WORK / "audit.log"


class Unanswered(Exception):
    """A scanner could not find out which vulnerabilities are known."""


def audit() -> int:
    """Prints a line for each known vulnerability; returns the exit status, 1 if there is one.

    Raises `BuildError` if a scanner failed, after printing what the other one found.
    """
    WORK.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    faults, silent = 0, list[str]()
    for name, ask in SERVICES.items():
        try:
            with step(f"asking about {name} packages"):
                packages, lines = ask()
        except Unanswered:
            silent.append(name)
            continue
        print("\n".join([*lines, f"{name}: {packages} packages, {len(lines) or 'no'} known faults"]))
        faults += len(lines)
    if silent:
        raise BuildError(
            f"the known faults of {' and '.join(silent)} packages could not be asked for, so these were not checked; "
            f"check the network and run the same command again (see {LOG})"
        )
    return 1 if faults else 0


def ask_about_python() -> tuple[int, list[str]]:
    """Returns the number of locked Python packages, and a line per known vulnerability. Raises `Unanswered`."""
    # The locks name every package with its hashes, so pip has nothing to resolve and installs nothing.
    options = ["--disable-pip", "--format", "json", "--desc", "off", "--progress-spinner", "off"]
    found: dict[tuple[str, str], list[str]] = {}
    for lock in (*PYTHON_LOCKS, _browser_lock()):  # one at a time: pip-audit refuses a package in two versions
        answer = _answer_of([sys.executable, "-m", "pip_audit", *options, "--requirement", str(lock)], ROOT)
        for package in answer["dependencies"]:
            found[package["name"], package.get("version", "")] = list(_python_lines(package))
    return len(found), [line for lines in found.values() for line in lines]


def _browser_lock() -> Path:
    """Writes a lock file of the wheels in the browser's runtime; returns its path."""
    wheels = read_pins().wheels.values()
    file = WORK / "audit-browser.txt"
    file.write_text("".join(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels))
    return file


def _python_lines(package: Mapping[str, Any]) -> Iterator[str]:
    """pip-audit's findings on one package. A package that the service does not know is listed as not checked."""
    if "skip_reason" in package:
        yield f"{package['name']}: not checked: {package['skip_reason']}"
    for fault in package.get("vulns", ()):
        names = ", ".join(dict.fromkeys([fault["id"], *fault.get("aliases", ())]))
        fixed = ", ".join(fault["fix_versions"])
        yield f"{package['name']} {package['version']}: {names}; {f'fixed in {fixed}' if fixed else 'no fix yet'}"


def ask_about_javascript() -> tuple[int, list[str]]:
    """Returns the number of locked JavaScript packages, and a line per known vulnerability.

    Raises `Unanswered`.
    """
    packages, lines = 0, list[str]()
    for lock in NODE_LOCKS:
        options = ["--package-lock-only", "--json", "--fetch-retries=0", "--fetch-timeout=30000"]
        answer = _answer_of(["npm", "audit", *options], lock.parent)
        packages += answer["metadata"]["dependencies"]["total"]
        lines += [line for package in answer["vulnerabilities"].values() for line in _javascript_lines(package)]
    return packages, list(dict.fromkeys(lines))


def _javascript_lines(package: Mapping[str, Any]) -> Iterator[str]:
    """The findings of npm on one package; a string in `via` names another package, which has its own lines."""
    for fault in package["via"]:
        if not isinstance(fault, str):
            yield f"{fault['name']} {fault['range']}: {fault['title']} ({fault['severity']}), {fault['url']}"


def _answer_of(command: Sequence[str], folder: Path) -> dict[str, Any]:
    """Runs a scanner and returns its JSON; all its output goes to the log. Raises `Unanswered`."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False, capture_output=True, text=True)
    with LOG.open("a") as log:
        log.write(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}\n")
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise Unanswered from error
    if not {"dependencies", "vulnerabilities"} & answer.keys():
        raise Unanswered  # npm prints its error as JSON too
    return cast("dict[str, Any]", answer)


SERVICES: Final[Mapping[str, Callable[[], tuple[int, list[str]]]]] = MappingProxyType(
    {"Python": ask_about_python, "JavaScript": ask_about_javascript}
)
