"""`build.py dev`: serves the page while somebody edits it. Open tabs show an edit of `web/` in about a second.

The registry serves it with the headers of production: it is a build like any other, in a folder of its own. It differs
from a release in three ways: scripts carry source maps, tracebacks of Python in the worker have line numbers, and the
page has one more script, which looks for the next build.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from builder import DIST, ROOT, WORK, BuildError
from builder.demo.serve import address_of, make_data_folder, running_registry, shown
from builder.options import Options
from builder.setup.cache import Cache, sha256
from builder.setup.pins import read_pins
from builder.site.assemble import WEB, complete, static_files, write_changed
from builder.site.bundle import KEEPER, PAGE, SOURCE_MAPS, VIDEO_WORKER, WORKER, bundle_page, bundle_worker
from builder.split.runtime import split_runtime

FOLDER: Final = WORK / "dev"
PYTHON: Final = ROOT / "py" / "takeback"
RELOAD: Final = Path(__file__).with_name("dev_reload.js")
BUILD: Final = "dev-build.json"
"""What an open tab asks for again and again: digests of the build that is served now."""
POLL_SECONDS: Final = 0.1
FROM_DIST: Final = re.compile(r"notices\.txt|source\.zip")
"""Files that no edit of the page changes, beside the runtime's."""

type Bundle = Callable[[Path, Path, Sequence[str]], None]
type Stamps = dict[Path, tuple[int, int]]


def serve_edits(options: Options) -> int:
    """Serves until Ctrl-C; the exit status. Raises `BuildError`."""
    make_data_folder(options.data)
    site = EditedSite()
    # Before the build, so that an edit made during it is noticed.
    seen, python = stamps(WEB, ""), stamps(PYTHON, ".py")
    site.build()
    try:
        with running_registry(options, FOLDER) as registry:
            print(f"\nThe page:  {address_of(options)}\n\nEdit web/ and watch it. Ctrl-C stops.", flush=True)
            while registry.poll() is None:
                time.sleep(POLL_SECONDS)
                if (now := stamps(WEB, "")) != seen:
                    seen = now
                    rebuild(site)
                if (now := stamps(PYTHON, ".py")) != python:
                    python = now
                    print("Python changed: start dev again to see it", flush=True)
    except KeyboardInterrupt:
        print(f"\nStopped. What was sent is kept in {shown(options.data)}/.", flush=True)
        return 0
    raise BuildError(f"the registry ended by itself (status {registry.returncode}); what it said stands above")


def stamps(folder: Path, suffix: str) -> Stamps:
    """When each file below `folder` whose name ends in `suffix` was last written, and its size."""
    found = {}
    for path in folder.rglob(f"*{suffix}"):
        with suppress(FileNotFoundError):  # an editor may remove it meanwhile
            if path.is_file():
                found[path] = (path.stat().st_mtime_ns, path.stat().st_size)
    return found


def rebuild(site: "EditedSite") -> None:
    """Builds the site again and says how long it took. A mistake in a source is told, and the page stays as it was."""
    start = time.monotonic()
    try:
        site.build()
    except (BuildError, OSError) as error:
        print(f"not built: {error}", file=sys.stderr, flush=True)
    else:
        print(f"built in {time.monotonic() - start:.2f} s", flush=True)


class EditedSite:
    """The site in `FOLDER`, as the sources are now."""

    def __init__(self) -> None:
        """Takes from `dist/` what no edit of the page changes. Raises `BuildError`."""
        self._cache = Cache()
        self._bundles: dict[Path, tuple[str, bytes]] = {}
        listed = json.loads((DIST / "manifest.json").read_bytes())["files"]
        paths = [str(entry["path"]) for entry in listed]
        self._unchanged = {path: (DIST / path).read_bytes() for path in paths if FROM_DIST.fullmatch(path)}
        runtime = split_runtime(read_pins(), self._cache, lines=True)
        self._unchanged |= {f"runtime/{name}": data for name, data in runtime.items()}

    def build(self) -> None:
        """Writes the files that differ from the build before. Raises `BuildError`, and then writes none."""
        files = {**self._unchanged, **static_files(), RELOAD.name: RELOAD.read_bytes()}
        page, worker = (PAGE.parent, WEB / "words", KEEPER.parent), (WORKER.parent,)
        files["page.js"] = self._bundle(PAGE, page, bundle_page)
        files["worker.js"] = self._bundle(WORKER, worker, bundle_worker)
        files["video.js"] = self._bundle(VIDEO_WORKER, worker, bundle_worker)
        files["index.html"] = files["index.html"].replace(b"</head>", _script_tag(RELOAD.name) + b"</head>", 1)
        styles = files["styles.css"]
        rest = b"".join(sha256(files[path]).encode() for path in sorted(files) if path != "styles.css")
        files[BUILD] = json.dumps({"styles": sha256(styles), "rest": sha256(rest)}).encode()
        files = complete(files, self._cache)
        build = files.pop(BUILD)
        for path, data in files.items():
            write_changed(FOLDER / path, data)
        write_changed(FOLDER / BUILD, build)  # last, because a tab that sees it asks for the others

    def _bundle(self, entry: Path, folders: Sequence[Path], bundle: Bundle) -> bytes:
        """The script `entry` with its source map, bundled anew if `folders` changed. Raises `BuildError`."""
        sources = sorted(path for folder in folders for path in folder.rglob("*.js"))
        key = sha256(b"".join(path.read_bytes() for path in sources))
        if self._bundles.get(entry, ("", b""))[0] != key:
            out = FOLDER.with_name("dev-bundles") / entry.name  # as deep as `FOLDER`: maps name sources relative to it
            bundle(entry, out, SOURCE_MAPS)
            self._bundles[entry] = key, out.read_bytes()
        return self._bundles[entry][1]


def _script_tag(name: str) -> bytes:
    return f'  <script type="module" src="/{name}"></script>\n  '.encode()
