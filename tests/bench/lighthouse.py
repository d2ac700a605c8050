"""`python3 build.py bench lighthouse`: Lighthouse's scores for the first screen, with its mobile profile.

Lighthouse itself drives the Chromium of the tests; the page is served with the product's own headers.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from builder import DIST, WORK
from builder.setup.browsers import ensure_browsers
from builder.site.assemble import build_site
from takeback.registry.http.response_headers import headers_for, kind_of
from tests.bench.server import serving

PACKAGE: Final = Path(__file__).with_suffix("")
"""Its npm package and lock file: two hundred packages that nothing else needs, installed when this runs."""
HOME: Final = WORK / "bench" / "lighthouse"
SCRIPT: Final = HOME / "node_modules" / "lighthouse" / "cli" / "index.js"
TARGETS: Final = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
METRICS: Final = (
    "first-contentful-paint",
    "largest-contentful-paint",
    "total-blocking-time",
    "cumulative-layout-shift",
)
RUNS: Final = 5
"""One run differs from the next by several points."""
TRIES: Final = 3
WITHIN: Final = 300
"""Seconds for one run."""


def main() -> None:
    """Runs it some times and prints the scores of the middle run, what cost points, and how fast the screen was."""
    build_site()
    install()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(DIST, lambda path: headers_for(kind_of(path), tls=False)) as site,
    ):
        runs = [judge(site.address, Path(folder, "report.json")) for _ in range(RUNS)]
    runs.sort(key=lambda found: found["categories"]["performance"]["score"])
    print(
        "performance of every run     ", *(f"{100 * found['categories']['performance']['score']:.0f}" for found in runs)
    )
    report(runs[RUNS // 2])


def install() -> None:
    """Lighthouse as its lock file has it, unless it is there."""
    lock = HOME / "package-lock.json"
    if lock.is_file() and lock.read_bytes() == (PACKAGE / lock.name).read_bytes():
        return
    shutil.copytree(PACKAGE, HOME, dirs_exist_ok=True)
    try:
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HOME, check=True)
    except (OSError, subprocess.CalledProcessError):
        lock.unlink()
        raise


def judge(address: str, out: Path) -> dict[str, Any]:
    """Lighthouse's report on a page."""
    flags = "--headless=new --disable-gpu --no-first-run --no-sandbox"
    options = ["--quiet", f"--chrome-flags={flags}", f"--only-categories={','.join(TARGETS)}"]
    command = ["node", str(SCRIPT), address, *options, "--output=json", f"--output-path={out}"]
    environment = {**os.environ, "CHROME_PATH": str(ensure_browsers().chromium or "")}
    for _ in range(TRIES):  # now and then it misses the beginning of its own recording
        if subprocess.run(command, env=environment, check=False, timeout=WITHIN).returncode == 0:
            found: dict[str, Any] = json.loads(out.read_text())
            return found
    raise SystemExit("Lighthouse did not succeed; what it said is above")


def report(found: dict[str, Any]) -> None:
    """Prints the figures beside their targets."""
    for name, target in TARGETS.items():
        category = found["categories"][name]
        print(f"{name:28} {100 * category['score']:.0f}   target {target}")
        for part in category["auditRefs"]:
            audit = found["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 1:
                print(f"  {100 * audit['score']:3.0f} {audit['title']} {audit.get('displayValue', '')}")
    for name in METRICS:
        print(f"{name:28} {found['audits'][name]['displayValue']}")


if __name__ == "__main__":
    main()
