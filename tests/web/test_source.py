"""What the page's own files must and must not hold."""

import re
from pathlib import Path
from typing import Final

import pytest

WEB: Final = Path(__file__).resolve().parents[2] / "web"
MODULES: Final = sorted([*(WEB / "page").rglob("*.js"), *(WEB / "words").rglob("*.js")])
FORBIDDEN: Final = {
    "a trace on the device": r"localStorage|sessionStorage|indexedDB|document\.cookie|\bcaches\b|cookieStore",
    "markup read from text": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\(",
    "a change of the address": r"pushState|replaceState|location\.(hash|search|href)\s*=|location\.assign",
    "another way out": r"sendBeacon|XMLHttpRequest|WebSocket|EventSource|RTCPeerConnection",
    "a styled element": r"\.style\.|setAttribute\(\"style",
}
"""What no module may hold, and what it would be."""


def _code(path: Path) -> str:
    """The module without its comments; the one that only names ways out counts as empty."""
    if path.name == "escape-attempts.js":
        return ""
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", path.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_module_leaves_a_trace_or_opens_a_hole(path: Path, what: str) -> None:
    """No module stores anything, reads markup, changes the address or speaks to the network but by fetch.

    One knows the store of the service worker, to ask whether it is there and to delete it; it opens none. One makes an
    entry of the history, for Back on phones, with a number in it and the same address.
    """
    found = re.findall(FORBIDDEN[what], _code(path))
    if path.name == "keep.js":
        found = [name for name in found if name != "caches"]
        assert not re.search(r"caches\.(open|match|has)|\.put\(|\.add(All)?\(", _code(path))
    if path.name == "back.js" and found:
        assert set(re.findall(r"history\.\w+\([^)]*\)", _code(path))) == {
            'history.pushState(what, "")', 'history.replaceState(LEFT, "")', "history.back()"
        }  # fmt: skip
        found = []
    assert found == []


def test_only_the_registry_client_asks_the_network() -> None:
    """Of the page's modules only the registry's client sends requests; the others fetch files of the page itself."""
    asking = {path.name for path in MODULES if re.search(r"\bfetch\b", _code(path))}
    assert asking - {"runtime.js", "door.js", "languages.js", "keep.js"} == {"client.js"}


def test_no_screen_reads_a_picture() -> None:
    """Only the door to the worker reads the bytes of a file; no other module does, and none makes a preview."""
    reading = re.compile(r"arrayBuffer\(|\.stream\(|FileReader|createImageBitmap|new Image\b|h\(\"img\"|drawImage")
    found = {path.name for path in MODULES if reading.search(_code(path))}
    assert found <= {"door.js", "runtime.js"}


def test_shared_memory_is_written_and_never_read() -> None:
    """One module of the page shares memory with a worker: it writes there, wakes the worker, and reads nothing."""
    sharing = {path.name for path in MODULES if re.search(r"SharedArrayBuffer|Atomics|\.memory\b", _code(path))}
    assert sharing == {"second-part.js", "picture-worker.js"}
    assert re.findall(r".*\.memory\b.*", _code(WEB / "page" / "engine" / "picture-worker.js")) == [
        '    this.send({ kind: "start", files: { ...files, second: this.#second.memory } });'
    ]
    code = _code(WEB / "page" / "engine" / "second-part.js")
    assert set(re.findall(r"Atomics\.(\w+)", code)) == {"store", "notify"}
    uses = [line.strip() for line in code.splitlines() if "memory." in line]
    assert uses == [
        "const filled = new Int32Array(this.memory.filled);",
        "new Uint8Array(this.memory.bytes).set(new Uint8Array(content));",
    ]


def test_only_the_receipt_is_drawn() -> None:
    """The one canvas there is holds the receipt's words; that module knows no file."""
    drawing = {path.name for path in MODULES if '"canvas"' in _code(path)}
    assert drawing == {"receipt-image.js"}
    assert re.search(r"\bFile\b|files|picture\.file", _code(WEB / "page" / "ui" / "receipt-image.js")) is None


def test_the_static_page_holds_no_script_and_no_style_of_its_own() -> None:
    """The page's HTML has no inline script, no inline style and no handler, and asks no other site for anything."""
    html = (WEB / "index.html").read_text()
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html) == []
    assert re.findall(r'(?:src|<link[^>]*href)="(?!/)[^"]*"', html) == []


def test_the_title_gives_nothing_away() -> None:
    """The title, the icon and the description name neither the product nor what it is for."""
    head = (WEB / "index.html").read_text().partition("</head>")[0]
    assert re.search(r"takeback|picture|hash|abuse|help", head.partition("<link")[0], re.IGNORECASE) is None
    assert re.search(r"takeback|<title", (WEB / "icon.svg").read_text(), re.IGNORECASE) is None


def test_styles_ask_no_other_file() -> None:
    """The styles load nothing: no font, no picture, no other sheet."""
    assert (
        re.findall(r"url\(|@import|@font-face", "".join(path.read_text() for path in (WEB / "styles").glob("*.css")))
        == []
    )


def test_the_exits_that_are_named_are_those_that_are_tried() -> None:
    """The page names exactly the ways out of the worker that the end-to-end test tries."""
    named = (WEB / "page" / "content" / "escape-attempts.js").read_text().partition("*/\n")[2]
    assert re.fullmatch(r"export const EXITS = \[[\s.\[\],\"\w-]*\];\n", named)
    tried = (WEB.parent / "tests" / "e2e" / "exits.js").read_text().partition("const WAYS = {")[2].partition("\n};")[0]
    assert re.findall(r'"([^"]+)"', named) == re.findall(r'^  "?([\w.-]+)"?:', tried, re.MULTILINE)
