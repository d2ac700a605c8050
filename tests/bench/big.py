"""`python3 build.py bench big`: the peak memory that large pictures take, in Chromium's tab and natively.

Each picture is hashed in a fresh Chromium, whose page processes report the most memory they ever held (`VmHWM` of the
renderer); natively it is a process that does nothing else. Shared memory counts in full.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from builder import DIST
from builder.site.assemble import build_site
from takeback.registry.http.response_headers import headers_for, kind_of
from tests.bench.hashing import peak, photograph
from tests.bench.page import ARGUMENTS, chromium, run_ours
from tests.bench.server import serving

SIZES: Final = ((4000, 3000), (8192, 6144), (12_000, 9000), (12_240, 16_320))
"""12 megapixels; 50, which the tab must hash in under 700 MB; 108; and 200, the largest that phones take."""
MIB: Final = 1 << 20
_FINISHED: Final = """() => globalThis.heard.some(([what]) => what === "rest")"""
WITHIN: Final = 120_000


def main() -> None:
    """Prints the figures, one line per picture."""
    build_site()
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder, "dist")
        shutil.copytree(DIST, site)
        files = write_pictures(site)
        for path in files:
            print(f"{path.name:24} {path.stat().st_size / 1e6:6.1f} MB, {in_browser(site, path.name)}")
            if path.suffix == ".jpg":
                print(f"{'':24}            natively {peak(path.read_bytes()):.0f} MB in all")


def write_pictures(folder: Path) -> list[Path]:
    """JPEG of every size, and PNG of 50 megapixels, which has no luma plane of its own."""
    paths = []
    for width, height in SIZES:
        paths.append(folder / f"big-{width}x{height}.jpg")
        paths[-1].write_bytes(photograph(width, height))
    paths.append(folder / "big-{}x{}.png".format(*SIZES[1]))
    with Image.open(paths[1]) as image:
        image.convert("RGB").save(paths[-1], compress_level=1)
    return paths


def in_browser(site: Path, name: str) -> str:
    """What hashing a file on the page in a fresh browser took, phash included."""
    with serving(site, lambda path: headers_for(kind_of(path), tls=False)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            page = browser.new_page()
            page.set_default_timeout(WITHIN)
            heard = run_ours(page, server.address, site / name)
            page.wait_for_function(_FINISHED)
            took = heard["hash"] - heard["to-worker-hash"]
            return f"hashed in {took:.0f} ms, the tab at most {tab(page):.0f} MB"
        finally:
            browser.close()


def tab(page: Page) -> float:
    """The most megabytes that the renderer of a page ever held."""
    session = page.context.browser.new_browser_cdp_session() if page.context.browser else None
    assert session is not None
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [int(process["id"]) for process in processes if process["type"] == "renderer"]
    return max(map(highest, renderers))


def highest(process: int) -> float:
    """The most megabytes that a process ever held."""
    status = Path(f"/proc/{process}/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / MIB
