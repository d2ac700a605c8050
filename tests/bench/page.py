"""`python3 build.py bench page`: from navigation to the first hash, against two other pages, in the same run.

All are opened in turns in a fresh Chromium context with an empty cache, and given the same 12-megapixel JPEG. Ours is
the real page, driven through its screens; stock is `stock/`: loadPyodide, numpy, Pillow, and PDQ in plain numpy; the
floor is `floor/`: our kernel alone, without Python, on the pixels of a canvas.
"""

import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from builder import DIST, WORK
from builder.runtime.pyodide_release import PYODIDE
from builder.setup.browsers import ensure_browsers
from builder.setup.cache import Cache
from builder.setup.fetch import fetch_wheel
from builder.setup.pins import read_pins
from builder.site.assemble import LATER, build_site, write_site
from builder.site.bundle import bundle_worker
from takeback.registry.http.response_headers import headers_for, kind_of
from takeback.signals import hamming_distance
from tests.bench.server import CountingServer, serving

HERE: Final = Path(__file__).parent
RUNS: Final = 7
WARM_RUNS: Final = 9
AFTER: Final = frozenset(f"/runtime/{name}" for name in LATER)
"""What the page asks for once the first hash is there."""
MANY: Final = 10
MANY_RUNS: Final = 5
POLLING: Final = 200
STOCK_POLLING: Final = 50
"""Milliseconds between looks whether it is done: looking at every frame would take time from the workers."""
SETTLING: Final = 2500
"""Milliseconds that a new window is left alone: Chromium loads its own address bar there, for 0.4 s of processor."""
PATIENCE: Final = 120_000
"""Milliseconds after which a page that has not hashed is an error."""
TARGETS: Final = {"ratio": 0.24, "floor": 2.5, "ready": 0.17, "kept": 0.10, "megabytes": 1.75, "warm": 220, "ten": 0.42}
"""Times but `warm` are shares of the stock page's time to its first hash, or of the floor's."""
ARGUMENTS: Final = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-sandbox",
]  # fmt: skip
_KEEP: Final = ("Make the next visit faster", "Keep the program on this device", "You chose to keep the program")
_READY: Final = """() => (globalThis.heard.find(([what]) => what === "ready") ?? [])[1]"""
_STOCK_RESULT: Final = "() => globalThis.stockResult"
_TENTH: Final = """(count) => {
  const results = globalThis.heard.filter(([what]) => what === "result");
  return results.length >= count && results[count - 1][1];
}"""
_WARM: Final = """async (times) => {
  const { createDoor } = await import("/page.js");
  const door = createDoor();
  await door.ready;
  const response = await fetch("/bench.jpg");
  const file = new File([await response.blob()], "");
  const runs = [];
  for (let i = 0; i < times; i += 1) {
    let [decoded, hashed] = [0, 0];
    const start = performance.now();
    const onStep = (step) => { if (step === "decoded") decoded = performance.now(); };
    await door.hash(file, { onStep, onHashed: () => (hashed = performance.now()) });
    runs.push([decoded - start, hashed - decoded, hashed - start, performance.now() - hashed]);
  }
  door.close();
  return runs;
}"""


def main() -> None:
    """Runs the comparison and prints the figures beside their targets."""
    build_site()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        photo = make_photo(Path(folder, "bench.jpg"))
        site = Path(folder, "dist")
        shutil.copytree(DIST, site)
        shutil.copy(photo, site)
        stock, floor = make_stock_site(WORK / "bench" / "stock"), make_floor_site(WORK / "bench" / "floor")
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            with (
                serving(site, _our_headers, AFTER) as ours,
                serving(stock, lambda _path: ()) as theirs,
                serving(floor, lambda _path: ()) as least,
            ):
                pages = (ours, run_ours), (theirs, run_stock), (least, run_stock)
                mine, stock_runs, floor_runs = compare(browser, pages, photo)
                report(mine, stock_runs, floor_runs, measure_warm(browser, ours))
                report_many(browser, ours, photo, middle(stock_runs, "hash"))
        finally:
            browser.close()


def chromium() -> str | None:
    """The browser that the tests use."""
    found = ensure_browsers().chromium
    return str(found) if found else None


def make_photo(path: Path) -> Path:
    """A 12-megapixel JPEG of about 3 MB with the detail of a photograph: smooth shapes under grain."""
    size = (4000, 3000)
    grain = Image.effect_noise((1000, 750), 40).resize(size, Image.Resampling.BICUBIC)
    shapes = Image.radial_gradient("L").resize(size), Image.linear_gradient("L").resize(size), grain
    picture = Image.blend(Image.merge("RGB", shapes), Image.merge("RGB", (grain,) * 3), 0.3)
    picture.save(path, "JPEG", quality=88)
    return path


def make_stock_site(folder: Path) -> Path:
    """The stock page: pinned npm files and wheels, compressed as ours are."""
    cache, pins = Cache(), read_pins()
    files = {path.name: path.read_bytes() for path in (HERE / "stock").iterdir()}
    files |= {f"pyodide/{name}": (PYODIDE / name).read_bytes() for name in pins.files}
    files |= {f"pyodide/{wheel.file}": fetch_wheel(pins, wheel, cache) for wheel in pins.wheels.values()}
    write_site(folder, files, cache)
    return folder


def make_floor_site(folder: Path) -> Path:
    """The page of the kernel alone, compressed as ours is."""
    source = HERE / "floor"
    with tempfile.TemporaryDirectory() as work:
        script = Path(work, "floor.js")
        bundle_worker(source / script.name, script)
        files = {"index.html": (source / "index.html").read_bytes(), script.name: script.read_bytes()}
    write_site(folder, files, Cache())
    return folder


def _our_headers(path: str) -> tuple[tuple[str, str], ...]:
    return headers_for(kind_of(path), tls=False)


def compare(browser: Browser, pages: Sequence[tuple[CountingServer, Any]], photo: Path) -> list[list[dict[str, float]]]:
    """Runs the pages in turns; for each milliseconds of its steps, `hash` among them, and the `bytes` transferred."""
    turns = []
    for _ in range(int(os.environ.get("TAKEBACK_BENCH_RUNS", RUNS))):
        turn = [once(browser, server, photo, run) for server, run in pages]
        values = [found.pop("value") for found in turn]
        distance = max(hamming_distance(values[0], value) for value in values)
        assert distance <= 10, f"the pages hash differently: {distance} bits"
        turns.append(turn)
    return [list(runs) for runs in zip(*turns, strict=True)]


def once(browser: Browser, server: CountingServer, photo: Path, run: Any) -> dict[str, Any]:
    """One visit with nothing cached."""
    context = browser.new_context()
    page = settled_page(context)
    before = server.sent
    try:
        result: dict[str, Any] = run(page, server.address, photo)
    finally:
        context.close()
    return {**result, "bytes": server.sent - before}


def settled_page(context: BrowserContext) -> Page:
    """A page in a new window that has nothing of its own left to do, like a window that a person has open."""
    page = context.new_page()
    page.wait_for_timeout(SETTLING)
    return page


def run_ours(page: Page, address: str, photo: Path) -> dict[str, Any]:
    """The real page, as fast as hands can be: begin, an age, the file, go on."""
    page.add_init_script(path=HERE / "watch_worker.js")
    page.goto(address, wait_until="commit")
    return hash_first(page, photo)


def run_many(browser: Browser, server: CountingServer, photo: Path) -> float:
    """Milliseconds from navigation with nothing cached to the signals but phash of the last of ten pictures."""
    files = [photo.with_name(f"bench-{number}.jpg") for number in range(MANY)]
    for file in files:
        file.write_bytes(photo.read_bytes())
    context = browser.new_context()
    try:
        page = settled_page(context)
        page.add_init_script(path=HERE / "watch_worker.js")
        page.goto(server.address, wait_until="commit")
        choose(page, files)
        found: float = page.wait_for_function(_TENTH, arg=MANY, polling=POLLING, timeout=PATIENCE).json_value()
        return found
    finally:
        context.close()


def choose(page: Page, files: list[Path]) -> None:
    """Through the screens of a page that was just opened, until the files are being hashed.

    Not by Playwright's own clicks, which wait until a screen has come in: four take longer than Python's start.
    """
    page.locator("main[data-screen=start] .actions .primary").dispatch_event("click")
    page.locator("main[data-screen=age] .choice").first.dispatch_event("click")
    page.locator("main[data-screen=where] .choice").first.dispatch_event("click")
    page.locator("main[data-screen=pictures] input[type=file]").set_input_files(files)
    page.locator("main[data-screen=pictures] .actions .primary").dispatch_event("click")


def hash_first(page: Page, photo: Path) -> dict[str, Any]:
    """Through the screens of a page that was just opened, to the first hash."""
    choose(page, [photo])
    signals = json.loads(page.evaluate("globalThis.firstHashed"))["signals"]
    heard = dict(page.evaluate("globalThis.heard"))
    return {**heard, "hash": heard["result"], "value": signals[0]["value"]}


def run_stock(page: Page, address: str, photo: Path) -> dict[str, Any]:
    """Another page: the file is there before it can be hashed."""
    page.goto(address, wait_until="commit")
    page.locator("input[type=file]").set_input_files(photo)
    result = page.wait_for_function(_STOCK_RESULT, polling=STOCK_POLLING, timeout=PATIENCE).json_value()
    return {"hash": result["at"], "value": result["value"]}


def measure_warm(browser: Browser, ours: CountingServer) -> list[tuple[float, ...]]:
    """Milliseconds of a picture in a warm worker: to decoded, from there to all signals but phash, both, to phash."""
    page = browser.new_page()
    try:
        page.goto(ours.address)
        runs: list[tuple[float, ...]] = page.evaluate(_WARM, WARM_RUNS)
    finally:
        page.close()
    return runs[1:]


def run_kept(browser: Browser, server: CountingServer) -> float:
    """Milliseconds from navigation until the worker is ready, on a second visit with the program kept on the device."""
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(server.address)
        title, button, said = _KEEP
        page.get_by_text(title).click()
        page.get_by_role("button", name=button).click()
        page.get_by_text(said).wait_for(timeout=PATIENCE)
        page.add_init_script(path=HERE / "watch_worker.js")
        page.goto(server.address, wait_until="commit")
        found: float = page.wait_for_function(_READY, polling=POLLING, timeout=PATIENCE).json_value()
        return found
    finally:
        context.close()


def report(
    mine: list[dict[str, float]],
    stock: list[dict[str, float]],
    floor: list[dict[str, float]],
    warm: list[tuple[float, ...]],
) -> None:
    """Prints the figures: medians, the smallest and the largest, and what they ought to reach."""
    print(f"navigation to first hash, ms   {spread(mine, 'hash')}")
    print(f"the stock page, ms             {spread(stock, 'hash')}")
    print(f"the kernel alone, ms           {spread(floor, 'hash')}")
    print(f"first hash by stock's          {paired(mine, 'hash', stock)}   target {TARGETS['ratio']}")
    print(f"first hash by the kernel's     {paired(mine, 'hash', floor)}   target {TARGETS['floor']}")
    print(f"ready by stock's first hash    {paired(mine, 'ready', stock)}   target {TARGETS['ready']}")
    print(f"transferred, MB                {middle(mine, 'bytes') / 1e6:.2f}   target {TARGETS['megabytes']}")
    print(f"transferred by stock, MB       {middle(stock, 'bytes') / 1e6:.2f}")
    for step in ("created", "to-worker-start", "ready", "to-worker-hash", "decoded", "hashed", "result"):
        print(f"  at {step:24}    {spread(mine, step)}")
    decoded, signals, total, rest = (statistics.median(column) for column in zip(*warm, strict=True))
    print(f"warm: to decoded, ms           {decoded:.0f}")
    print(f"warm: decoded to signals, ms   {signals:.0f}")
    print(f"warm: file to all signals, ms  {total:.0f}   target {TARGETS['warm']}, with its views")
    print(f"warm: phash after that, ms     {rest:.0f}")


def report_many(browser: Browser, ours: CountingServer, photo: Path, stock: float) -> None:
    """Measures and prints what comes after the first hash; `stock` is the stock page's time to its first one."""
    ten = statistics.median(run_many(browser, ours, photo) for _ in range(MANY_RUNS))
    print(f"ten pictures from cold, ms     {ten:.0f}, by stock's first {ten / stock:.3f}   target {TARGETS['ten']}")
    kept = statistics.median(run_kept(browser, ours) for _ in range(MANY_RUNS))
    print(f"second visit, kept: ready, ms  {kept:.0f}, by stock's first {kept / stock:.3f}   target {TARGETS['kept']}")


def paired(mine: list[dict[str, float]], key: str, others: list[dict[str, float]]) -> str:
    """The median of the pairs' ratios, ours by the other page's first hash; and the smallest and largest."""
    ratios = [one[key] / other["hash"] for one, other in zip(mine, others, strict=True)]
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"


def middle(runs: list[dict[str, float]], key: str) -> float:
    """The median of one figure."""
    return statistics.median(run[key] for run in runs)


def spread(runs: list[dict[str, float]], key: str) -> str:
    """The median, and the smallest and largest."""
    values = [run[key] for run in runs]
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


if __name__ == "__main__":
    main()
