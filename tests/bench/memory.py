"""`python3 build.py bench memory`: the peak memory of a tab for one picture, by its size, up to 200 megapixels.

The real page's own workers hash a JPEG in a fresh Chromium; read is the peak of the renderer process, from Linux.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from builder import DIST
from builder.site.assemble import build_site
from takeback.registry.http.response_headers import headers_for, kind_of
from tests.bench.page import ARGUMENTS, PATIENCE, chromium
from tests.bench.server import serving

SIZES: Final = ((4000, 3000), (8160, 6120), (12000, 9000), (12240, 16320))
"""12, 50, 108 and 200 megapixels, as phones take them."""
TILE: Final = 1024
_HASH: Final = """async (name) => {
  const { createDoor } = await import("/page.js");
  const door = createDoor();
  await door.ready;
  const file = new File([await (await fetch(name)).blob()], "");
  try {
    return await door.hash(file, { onHashed: () => (globalThis.exact = true) });
  } catch (fault) {
    return { error: fault.code ?? String(fault) };
  } finally {
    door.close();
  }
}"""


def main() -> bool:
    """Prints megabytes and seconds for each size; whether one of them was not hashed."""
    if not sys.platform.startswith("linux"):
        print("needs /proc to read how much memory a process took at most")
        return False
    build_site()
    failed = False
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Path(folder, "dist")
        shutil.copytree(DIST, site)
        with serving(site, lambda path: headers_for(kind_of(path), tls=False), frozenset()) as server:
            for size in SIZES:
                name = f"{size[0]}x{size[1]}.jpg"
                drawn(size).save(site / name, quality=88)
                browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
                try:
                    page = browser.new_page()
                    page.goto(server.address)
                    idle = peak()
                    start = time.monotonic()
                    result = hashed(page, f"/{name}")
                    seconds, most = time.monotonic() - start, peak()
                finally:
                    browser.close()
                megapixels, megabytes = size[0] * size[1] / 1e6, (site / name).stat().st_size / 1e6
                found = [signal["type"] for signal in result.get("signals", [])]
                failed = failed or "pdq" not in found
                print(
                    f"{megapixels:5.0f} MP, file {megabytes:5.1f} MB: tab at most {most:5.0f} MB "
                    f"({idle:.0f} before), {seconds:.1f} s, {result.get('error') or sorted(set(found))}",
                    flush=True,
                )
                (site / name).unlink()
    return failed


def hashed(page: Page, name: str) -> dict[str, Any]:
    """What the page's workers find in a file."""
    page.set_default_timeout(PATIENCE)
    result: dict[str, Any] = page.evaluate(_HASH, name)
    return result


def peak() -> float:
    """Megabytes that the largest renderer among the descendants of this process took at most."""
    processes = {int(status.parent.name): _read(status) for status in Path("/proc").glob("[0-9]*/status")}
    ours = [number for number in processes if _is_renderer(number) and os.getpid() in _ancestors(number, processes)]
    return max((int(processes[number].get("VmHWM", "0 kB").split()[0]) / 1e3 for number in ours), default=0)


def _read(status: Path) -> dict[str, str]:
    try:
        return dict(line.split(":", 1) for line in status.read_text().splitlines())
    except OSError:  # it has ended
        return {}


def _is_renderer(number: int) -> bool:
    try:
        return b"--type=renderer" in Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return False


def _ancestors(number: int, processes: dict[int, dict[str, str]]) -> Iterator[int]:
    while number in processes:
        number = int(processes[number].get("PPid", "0"))
        yield number


def drawn(size: tuple[int, int]) -> Image.Image:
    """A picture of this size: a large gradient under the grain of a tile that is repeated over it."""
    grain = Image.effect_noise((TILE // 4, TILE // 4), 40).resize((TILE, TILE), Image.Resampling.BICUBIC)
    shapes = (Image.radial_gradient("L").resize((TILE, TILE)), Image.linear_gradient("L").resize((TILE, TILE)), grain)
    tile = Image.blend(Image.merge("RGB", shapes), Image.merge("RGB", (grain,) * 3), 0.3)
    picture = Image.merge("RGB", (Image.radial_gradient("L").resize(size),) * 3)
    for left in range(0, size[0], TILE):
        for top in range(0, size[1], TILE):
            part = picture.crop((left, top, left + TILE, top + TILE))
            picture.paste(Image.blend(part, tile, 0.4), (left, top))
    return picture
