"""`python3 build.py bench kernel`: only PDQ's kernel, on the luma of 12 megapixels, in a worker of Chromium."""

import statistics
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from builder.site.bundle import bundle_worker
from tests.bench.page import ARGUMENTS, chromium
from tests.bench.server import serving

WORKER: Final = Path(__file__).with_suffix(".js")
SIZE: Final = {"width": 4000, "height": 3000}
TARGET: Final = 45
_RUN: Final = """(size) => new Promise((resolve, reject) => {
  const worker = new Worker("/kernel.js", { type: "module" });
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = () => reject(new Error("the worker broke"));
  worker.postMessage(size);
})"""


def main() -> None:
    """Runs it in a fresh browser and prints the figures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        bundle_worker(WORKER, Path(folder, "kernel.js"))
        Path(folder, "index.html").write_text("<!doctype html><title>Kernel</title>")
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            with serving(Path(folder), lambda _path: ()) as site:
                page = browser.new_page()
                page.goto(site.address)
                times: list[float] = page.evaluate(_RUN, SIZE)
        finally:
            browser.close()
    middle = statistics.median(times)
    print(f"the kernel alone, 12 megapixels, ms   {middle:.1f} ({min(times):.1f}-{max(times):.1f})   target {TARGET}")


if __name__ == "__main__":
    main()
