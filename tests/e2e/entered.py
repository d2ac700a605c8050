"""`python -m tests.e2e.entered`: which functions browsers enter while they hash every sample and vector.

Of CPython and of Pillow's libraries. Writes `py/builder/split/browsers.json`: what the profile, which is made under
Node, does not have. Run it after another release of Pyodide is pinned, or when `test_second_part.py` names functions.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from builder import DIST
from builder.runtime.archives import WHOLE_PACKAGES
from builder.runtime.pyodide_release import pinned_file
from builder.setup.browsers import ensure_browsers
from builder.setup.pins import read_pins
from builder.site.bundle import bundle_worker
from builder.split.libraries import LIBRARIES
from builder.split.profile import Entered, noted, pictures
from builder.split.profile_file import BROWSERS_FILE, BrowserFunctions, divided_modules, read_profile
from builder.split.runtime import FIRST_PART, PACKAGES
from tests.bench.server import serving
from tests.e2e.desks import launch_arguments, webkitgtk

PAGE: Final = Path(__file__).with_name("entered_page")
LONGEST: Final = 300
"""Seconds that a browser may take for all pictures."""


@contextmanager
def entered_site(hashed: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """A site whose CPython and libraries note what is entered: its address, and the expression that hashes pictures."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder).resolve() / "site"
        shutil.copytree(DIST / "runtime", site / "runtime", ignore=shutil.ignore_patterns("*.br", "*.gz", "second*"))
        for name, data in noted(whole()).items():
            (site / "runtime" / name).write_bytes(data)
        for name in ("index.html", "page.js"):
            shutil.copy(PAGE / name, site / name)
        bundle_worker(PAGE / "worker.js", site / "worker.js")
        (site / "pictures").mkdir()
        for name, data in hashed.items():
            (site / "pictures" / name).write_bytes(data)
        paths = sorted(f"/pictures/{path.name}" for path in (site / "pictures").iterdir())
        with serving(site, lambda _path: ()) as server:
            yield server.address, f"enteredBy({json.dumps(paths)})"


def whole() -> dict[str, bytes]:
    """The files of the runtime that are divided, before they are."""
    packages = (DIST / "runtime" / WHOLE_PACKAGES).read_bytes()
    return {FIRST_PART: pinned_file(read_pins(), FIRST_PART), PACKAGES: packages}


def missing(said: object) -> Entered:
    """Those of the functions that a browser entered that Node does not enter."""
    assert isinstance(said, dict), said
    found, profile = Entered.read(said), read_profile()
    assert all(found.libraries.values()), "a library was not entered at all"
    others = {name: found.libraries[name] - profile.libraries[name] for name in LIBRARIES}
    return Entered(found.functions - profile.functions, others)


def main() -> None:
    """Writes the list anew."""
    browsers = ensure_browsers()
    found: dict[str, Entered] = {}
    with entered_site(pictures(0)) as (address, expression):
        with sync_playwright() as playwright:
            for kind in (playwright.chromium, playwright.firefox):
                browser = kind.launch(**launch_arguments(kind.name, browsers))
                page = browser.new_page()
                page.goto(address)
                found[kind.name] = missing(page.evaluate(expression))
                browser.close()
        if browsers.webkit_driver is not None:
            with webkitgtk(browsers) as driver:
                driver.set_script_timeout(LONGEST)
                driver.get(address)
                found["webkit"] = missing(driver.execute_async_script(f"{expression}.then(arguments[0])"))
    for name, (functions, libraries) in found.items():
        others = {library: sorted(numbers) for library, numbers in libraries.items()}
        print(f"{name}: {sorted(functions)}, {others}", file=sys.stderr)
    listed = BrowserFunctions(divided_modules(whole()), *reduce(Entered.union, found.values()))
    BROWSERS_FILE.write_text(listed.encode(), "utf-8")


if __name__ == "__main__":
    main()
