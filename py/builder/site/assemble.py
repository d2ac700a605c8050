"""Makes `dist/`, everything that is served: the page with its hashes, the sealed worker, the runtime, the notices."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha384
from pathlib import Path
from typing import Final

from builder import DIST, ROOT, BuildError
from builder.runtime.archives import DECODERS, WHOLE_PACKAGES
from builder.runtime.modules import check_modules
from builder.setup.cache import Cache, sha256, write_atomically
from builder.setup.pins import read_pins
from builder.site import source
from builder.site.bundle import KEEPER, PAGE, VIDEO_WORKER, cached_bundle, page_script
from builder.site.compression import compressed
from builder.site.notices import notices
from builder.split.loader import lean_loader
from builder.split.runtime import SECOND_PART, split_runtime

WEB: Final = ROOT / "web"
STYLES: Final = (
    *("tokens", "ground", "frame", "headings", "buttons", "parts", "pictures"),
    *("text", "receipt", "forms", "guides", "fallback", "preferences"),
)
"""The sheets of `web/styles/` that make `styles.css`, in the order in which their rules override each other."""
NEVER_KEPT: Final = frozenset({"keeper.js", "leave.txt", "manifest.json", source.NAME})
"""Files that the service worker does not keep: itself, the way to remove it, and those for verifying the server."""
FOR_OTHER_PAGES: Final = (".whl", WHOLE_PACKAGES)
"""The ends of names of files for other pages, which the service worker does not keep either."""
RUNTIME_ORDER: Final = ("pyodide.asm.wasm", "python.zip", "packages.zip", "pyodide-lock.json")
LATER: Final = ("phash.zip", SECOND_PART, *DECODERS)
"""Files of the runtime that the page loads on demand."""
_TAG: Final = re.compile(r'<(?:script type="module" src|link rel="stylesheet" href)="(?P<address>/[^"]*)"')


def build_site(dist: Path = DIST, cache: Cache | None = None) -> None:
    """Builds `dist`, rewriting only what has changed. Raises `BuildError`."""
    cache = cache or Cache()
    pins = read_pins()
    files = static_files()
    files["page.js"] = page_script(PAGE, cache)
    runtime = split_runtime(pins, cache)
    check_modules(runtime, lean_loader(pins), cache)
    files |= {f"runtime/{name}": data for name, data in runtime.items()}
    files["worker.js"] = cached_bundle(cache)
    files["video.js"] = cached_bundle(cache, VIDEO_WORKER)
    files["notices.txt"] = notices(pins, cache)
    files[source.NAME] = source.source_zip()
    write_site(dist, complete(files, cache), cache)


def complete(files: dict[str, bytes], cache: Cache) -> dict[str, bytes]:
    """`files` with those that are made from all the others: the sealed page, the service worker, the manifest."""
    # In this order: the service worker lists the page too, and the manifest lists everything.
    files = {**files, "index.html": seal_index(files)}
    files["keeper.js"] = keeper(files, cache)
    files["manifest.json"] = manifest(files)
    return files


def static_files() -> dict[str, bytes]:
    """The files of `web/` that are served without being bundled, by path. Raises `BuildError`."""
    try:
        files = {name: (WEB / name).read_bytes() for name in ("index.html", "icon.svg", "leave.txt")}
        files |= {f"words/{path.name}": words(path) for path in (WEB / "words").glob("*.json")}
        return {**files, "styles.css": styles(WEB / "styles")}
    except OSError as error:
        raise BuildError(f"{error.filename} cannot be read ({error.strerror})") from error


def words(path: Path) -> bytes:
    """A language as it is served: without the glossary, which is for translators. Raises `BuildError`."""
    try:
        held = json.loads(path.read_bytes())
    except ValueError as error:
        raise BuildError(f"web/words/{path.name} is not valid JSON: {error}") from error
    held.pop("glossary", None)
    return json.dumps(held, ensure_ascii=False, indent=1).encode()


def styles(folder: Path) -> bytes:
    """The style sheet that is served, joined from `folder`. Raises `BuildError` if `STYLES` lacks a sheet."""
    if unknown := {path.stem for path in folder.glob("*.css")} - set(STYLES):
        raise BuildError(f"web/styles/{min(unknown)}.css has no place in the order of the styles: add it to STYLES")
    return b"\n".join((folder / f"{name}.css").read_bytes() for name in STYLES)


def integrity(data: bytes) -> str:
    """Returns the value of an `integrity` attribute for `data`."""
    return f"sha384-{b64encode(sha384(data).digest()).decode()}"


def seal_index(files: dict[str, bytes]) -> bytes:
    """Returns the page with a hash for each script and style, and the list of runtime files with theirs.

    Raises `BuildError` if a tag names a missing file.
    """

    def hashed(tag: re.Match[str]) -> str:
        """The tag with its hash. Raises `BuildError` if it names a missing file."""
        data = files.get(tag["address"].removeprefix("/"))
        if data is None:
            raise BuildError(f"web/index.html names {tag['address']}, which does not exist")
        return f'{tag[0]} integrity="{integrity(data)}"'

    page = _TAG.sub(hashed, files["index.html"].decode())
    size = sum(len(files[path]) for path in kept_paths(files))
    kept = f'  <meta name="kept-bytes" content="{size}" />\n  '
    return page.replace("</head>", f"{_runtime_list(files)}{_words_list(files)}{kept}</head>", 1).encode()


def kept_paths(files: Iterable[str]) -> list[str]:
    """Returns the files that the service worker keeps, so that the page opens offline."""
    return sorted(path for path in files if path not in NEVER_KEPT and not path.endswith(FOR_OTHER_PAGES))


def keeper(files: dict[str, bytes], cache: Cache) -> bytes:
    """Returns the service worker, with the path and sha256 of each file that it may keep. Raises `BuildError`."""
    script = page_script(KEEPER, cache).decode()
    listed = [["/" if path == "index.html" else f"/{path}", sha256(files[path])] for path in kept_paths(files)]
    written = json.dumps(listed, separators=(",", ":"))
    for place, filled in (
        ("FILES=[]", f"FILES={written}"),
        ('STORE=""', f'STORE="kept-{sha256(written.encode())[:16]}"'),
    ):
        if script.count(place) != 1:
            raise BuildError(f"web/keeper/keeper.js must hold {place} once")
        script = script.replace(place, filled)
    return script.encode()


def _runtime_list(files: dict[str, bytes]) -> str:
    """The runtime's files as `<meta>` lines for `web/page/engine/runtime.js`: address, size, hash.

    Preloading them by `<link>` would make WebKit load them twice.
    """
    lines = []
    for kind, names in (("runtime-file", RUNTIME_ORDER), ("later-file", LATER)):
        for name in names:
            data = files[f"runtime/{name}"]
            lines.append(f'<meta name="{kind}" content="/runtime/{name} {len(data)} {integrity(data)}" />')
    return "  " + "\n    ".join(lines) + "\n"


def _words_list(files: dict[str, bytes]) -> str:
    """The languages as `<meta>` lines for `web/page/language/languages.js`: code, address, hash."""
    paths = sorted(path for path in files if path.startswith("words/") and path.endswith(".json"))
    lines = [f"{Path(path).stem} /{path} {integrity(files[path])}" for path in paths]
    return "".join(f'  <meta name="words-file" content="{line}" />\n  ' for line in lines)


def manifest(files: dict[str, bytes]) -> bytes:
    """Returns the list of all served files, with size and sha256, for anyone who wants to verify a site."""
    entries = [{"path": path, "size": len(files[path]), "sha256": sha256(files[path])} for path in sorted(files)]
    return (json.dumps({"files": entries}, indent=1) + "\n").encode()


def write_site(dist: Path, files: dict[str, bytes], cache: Cache) -> None:
    """Writes `files` and their compressed forms to `dist`, and removes files of earlier builds. Raises `BuildError`."""
    wanted = dict(files)
    # Read before this build replaces the manifest.
    before = _listed(dist)
    squeezed = [path for path in files if path != source.NAME]  # rarely requested, and different after every change
    with ThreadPoolExecutor() as pool:  # brotli releases the GIL
        forms = pool.map(lambda path: compressed(path, files[path], cache), squeezed)
        for path, packed in zip(squeezed, forms, strict=True):
            wanted |= {path + suffix: form for suffix, form in packed.items()}
    try:
        for path, data in wanted.items():
            write_changed(dist / path, data)
        _remove(dist, before - wanted.keys())
    except OSError as error:
        raise BuildError(
            f"{error.filename} cannot be written ({error.strerror}); free some space or change its permissions"
        ) from error


def write_changed(path: Path, data: bytes) -> None:
    """Writes a file unless it holds `data` already."""
    if not (path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data):
        write_atomically(path, data)


def _listed(dist: Path) -> set[str]:
    """The files of the previous build, by its manifest, and their compressed forms."""
    try:
        paths = {str(entry["path"]) for entry in json.loads((dist / "manifest.json").read_bytes())["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {path + suffix for path in paths for suffix in ("", ".br", ".gz")}


def _remove(dist: Path, paths: Iterable[str]) -> None:
    """Removes files and the folders that this empties; paths outside `dist` are left alone."""
    for path in sorted(dist / path for path in paths):
        if path.resolve().is_relative_to(dist.resolve()) and path.is_file():
            path.unlink()
            for folder in path.relative_to(dist).parents:
                if folder != Path() and not any((dist / folder).iterdir()):
                    (dist / folder).rmdir()
