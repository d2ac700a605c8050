"""`python3 build.py bench old_phone`: an old phone on a slow network, from opening the page to the first hash.

Chromium with its processor slowed 4 times, a network of 1.6 Mbit/s with 150 ms of delay, an empty cache, and a picture
of 3 megapixels. The first screen is usable when its first button is painted and the page can respond to it.

Chromium slows the page's thread but not its workers, so one line adds what the worker would lose.
"""

import os
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from builder import DIST
from builder.setup.browsers import ensure_browsers
from builder.site.assemble import build_site
from takeback.registry.http.response_headers import headers_for, kind_of
from tests.bench.page import HERE, hash_first, spread
from tests.bench.server import CountingServer, serving
from tests.e2e.desks import Manner, start_chromium

RUNS: Final = 3
MANNER: Final = Manner(processor=4, slow_network=True)
TARGETS: Final = {"usable": 2_500, "result": 30_000}
"""Milliseconds after opening."""
SIZE: Final = (2000, 1500)
_PRESSED: Final = """new Promise((done) => {
  const look = () => {
    const button = document.querySelector(".actions .primary");
    return button ? requestAnimationFrame(() => setTimeout(() => done(performance.now()))) : setTimeout(look, 10);
  };
  look();
})"""
"""When the first button is there, painted, and the page is free to answer it."""


def main() -> None:
    """Runs it and prints the figures beside their targets."""
    build_site()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        photo = Path(folder, "photo.jpg")
        with Image.effect_noise(SIZE, 60) as grain:
            Image.blend(grain, Image.linear_gradient("L").resize(SIZE), 0.5).convert("RGB").save(photo, quality=85)
        browser = start_chromium(playwright, ensure_browsers())
        try:
            with serving(DIST, lambda path: headers_for(kind_of(path), tls=False)) as site:
                runs = [visit(browser, site, photo) for _ in range(int(os.environ.get("TAKEBACK_BENCH_RUNS", RUNS)))]
        finally:
            browser.close()
    report(runs)


def visit(browser: Browser, site: CountingServer, photo: Path) -> dict[str, float]:
    """One visit with nothing cached: milliseconds after opening."""
    context = browser.new_context()
    page = context.new_page()
    MANNER.slow_down(page)
    page.add_init_script(path=HERE / "watch_worker.js")
    try:
        page.goto(site.address, wait_until="commit")
        usable = page.evaluate(_PRESSED)
        return {"usable": usable, **hash_first(page, photo)}
    finally:
        context.close()


def report(runs: list[dict[str, float]]) -> None:
    """Prints medians, the smallest and the largest."""
    print(f"first screen usable, ms        {spread(runs, 'usable')}   target {TARGETS['usable']}")
    print(f"opening to first hash, ms      {spread(runs, 'result')}   target {TARGETS['result']}")
    for step in ("created", "to-worker-start", "ready", "to-worker-hash", "decoded", "hashed", "result"):
        print(f"  at {step:24}    {spread(runs, step)}")
    for run in runs:
        busy = run["ready"] - run["to-worker-start"] + run["result"] - run["to-worker-hash"]
        run["all slowed"] = run["result"] + (MANNER.processor - 1) * busy
    print(f"with the worker slowed too, ms {spread(runs, 'all slowed')}   target {TARGETS['result']}")


if __name__ == "__main__":
    main()
