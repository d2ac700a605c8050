"""`build.py dev`, as somebody who works on the page uses it, in a copy of the repository that is then edited."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import pytest
from playwright.sync_api import expect, sync_playwright

from builder import DIST, WORK
from builder.commands import make_site
from builder.setup.browsers import ensure_browsers
from builder.site.bundle import first_complaint
from tests.builder.demo.test_serve import free_port, read_until
from tests.registry.support import serving

ROOT: Final = Path(__file__).resolve().parents[3]
WITHIN: Final = 60
"""Seconds for an edit to be served, on a busy machine; about one is usual."""
CHANGING: Final = {"date", "content-length", "connection"}
"""Headers that differ from answer to answer, with the length of what is sent, or with the client."""
SCRIPTS: Final = ("page.js", "worker.js", "video.js")


@dataclass(frozen=True)
class Served:
    """A copy of the repository that `build.py dev` serves, and what it says."""

    root: Path
    address: str
    output: IO[str]
    errors: Path

    def get(self, path: str) -> str:
        """What the server gives for a path."""
        with urllib.request.urlopen(self.address + path, timeout=WITHIN) as answer:
            body: bytes = answer.read()
        return body.decode()

    def headers(self, path: str) -> dict[str, str]:
        """The headers that say what a browser may do, with what is at a path."""
        with urllib.request.urlopen(self.address + path, timeout=WITHIN) as answer:
            return {name: value for name, value in answer.headers.items() if name not in CHANGING}

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Changes a source, as an editor writes it."""
        source = self.root / path
        source.write_text(change(source.read_text()))

    def build_with(self, path: str, rules: str) -> dict[str, str]:
        """The digests of the build that has further `rules` in a style sheet, and every edit before."""
        before = json.loads(self.get("dev-build.json"))["styles"]
        self.edit(path, lambda source: source + rules)
        deadline = time.monotonic() + WITHIN
        while (build := json.loads(self.get("dev-build.json")))["styles"] == before:
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.05)
        digests: dict[str, str] = build
        return digests

    def wait_for_line(self, text: str) -> None:
        """Comes back once the command has printed `text`."""
        read_until(self.output, text)

    def wait_for(self, path: str, text: str) -> str:
        """What is at a path, once it holds `text`."""
        deadline = time.monotonic() + WITHIN
        while text not in (content := self.get(path)):
            assert time.monotonic() < deadline, f"{path} never held {text!r}; said: {self.errors.read_text()}"
            time.sleep(0.05)
        return content


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page of a copy of this repository, served for editing."""
    make_site()
    folder = tmp_path_factory.mktemp("dev")
    root, errors, port = folder / "copy", folder / "errors.txt", free_port()
    copy_repository(root)
    python = str(root / ".venv" / "bin" / "python")
    command = [python, "-m", "builder", "dev", "--data", str(folder / "data"), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(root / "py")}
    with (
        errors.open("wb") as said,
        subprocess.Popen(
            command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=said, text=True, start_new_session=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            read_until(process.stdout, "Ctrl-C stops.")
            yield Served(root, f"http://127.0.0.1:{port}/", process.stdout, errors)
            process.terminate()
            assert process.wait(WITHIN) == 0
            socket.create_server(("127.0.0.1", port)).close()  # the registry has ended as well
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def copy_repository(root: Path) -> None:
    """A copy of the sources, beside what was made from them, so that nothing is made or fetched again."""
    for folder in ("py", "web"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("build.py", "package.json", "package-lock.json", "pyproject.toml", "LICENSE", "NOTICE"):
        shutil.copy2(ROOT / name, root / name)
    for name in (".venv", "node_modules", DIST.name):
        (root / name).symlink_to(ROOT / name)
    (root / WORK.name).mkdir()
    for stamp in WORK.glob("*.stamp"):
        shutil.copy2(stamp, root / WORK.name)


def map_of(script: str) -> dict[str, list[str]]:
    """The source map that stands at the end of a script."""
    found = re.search(r"//# sourceMappingURL=data:application/json;base64,(\S+)\s*$", script)
    assert found is not None
    content: dict[str, list[str]] = json.loads(base64.b64decode(found[1]))
    return content


@pytest.mark.timeout(300)
def test_an_edit_is_served(served: Served) -> None:
    """A changed script, a changed worker, changed words and a changed style sheet are served without a command."""
    served.edit("web/page/ui/dom.js", lambda source: source.replace("drawing ${name}", "edited-icon ${name}"))
    served.wait_for("page.js", "edited-icon ")
    served.edit("web/worker/exact.js", lambda source: source.replace('type: "md5"', 'type: "edited-md5"'))
    served.wait_for("video.js", "edited-md5")
    served.edit("web/words/de.json", lambda source: source.replace('"code": "de"', '"code": "de", "edited": true'))
    served.wait_for("words/de.json", '"edited"')
    served.edit("web/styles/tokens.css", lambda source: source.replace("--target: 2.75rem", "--target: 2.875rem"))
    served.wait_for("styles.css", "--target: 2.875rem")


@pytest.mark.timeout(300)
def test_tabs_learn_what_changed(served: Served) -> None:
    """The digests that open tabs ask for tell a new style sheet from anything else."""
    first = served.build_with("web/styles/guides.css", "\n.first {\n  color: red;\n}\n")
    second = served.build_with("web/styles/guides.css", "\n.second {\n  color: red;\n}\n")
    assert second["rest"] == first["rest"]
    served.edit("web/words/fr.json", lambda source: source.replace('"code": "fr"', '"code": "fr", "edited": true'))
    third = served.build_with("web/styles/guides.css", "\n.third {\n  color: red;\n}\n")
    assert third["rest"] != first["rest"]


@pytest.mark.timeout(300)
def test_an_open_tab_shows_an_edit(served: Served) -> None:
    """In an open tab new styles replace the old ones and what was typed stays; after a new script it is loaded anew."""
    with ThreadPoolExecutor(1) as thread:  # the tests of the page may have Playwright at work in this one
        thread.submit(watch_a_tab, served).result()


def watch_a_tab(served: Served) -> None:
    """Opens the page in Chromium, edits its sources, and waits until the tab shows each edit."""
    soon = WITHIN * 1000
    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=ensure_browsers().chromium, args=root)
        page = chromium.new_page()
        page.goto(served.address)
        page.get_by_role("button", name="I have a case number").first.click(timeout=soon)
        field = page.get_by_role("textbox", name="Case number")
        field.fill("482 915")
        served.edit(
            "web/styles/buttons.css", lambda source: source.replace("min-height: var(--target)", "min-height: 77px")
        )
        expect(page.get_by_role("button", name="Show my case")).to_have_css("min-height", "77px", timeout=soon)
        expect(page.locator('link[rel="stylesheet"]')).to_have_count(1, timeout=soon)
        expect(field).to_have_value("482 915")
        served.edit("web/words/en.js", lambda source: source.replace('"start.begin": "', '"start.begin": "Edited: '))
        expect(page.get_by_role("button", name="Edited:")).to_be_visible(timeout=soon)
        chromium.close()


@pytest.mark.timeout(300)
def test_a_mistake_is_told_and_the_page_stays(served: Served) -> None:
    """A source that cannot be built is named with its line, the page before it stays, and a repair is served."""
    whole = (served.root / "web/page/app.js").read_text()
    served.edit("web/page/app.js", lambda source: f"{source}const = 1;\n")
    line = whole.count("\n") + 1
    deadline = time.monotonic() + WITHIN
    while f"web/page/app.js:{line}:" not in (said := served.errors.read_text()):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    assert "Traceback" not in said
    assert "node:" not in said
    assert "createDoor" in served.get("page.js")
    served.edit("web/page/app.js", lambda _: f'{whole}globalThis["repaired"] = true;\n')
    served.wait_for("page.js", "repaired")


@pytest.mark.timeout(300)
def test_an_edit_of_python_asks_for_a_new_start(served: Served) -> None:
    """A changed Python module is not half in use: it is said that it takes a new start."""
    served.edit("py/takeback/errors.py", lambda source: f"{source}\n")
    served.wait_for_line("Python changed: start dev again to see it")


@pytest.mark.timeout(300)
def test_scripts_name_their_sources(served: Served) -> None:
    """Each script carries a map to the sources as they are in the repository; no script of a release does."""
    page, worker, video = (map_of(served.get(name)) for name in SCRIPTS)
    assert {"../../web/page/app.js", "../../web/words/en.js"} <= set(page["sources"])
    assert "../../web/worker/worker.js" in worker["sources"]
    assert "../../web/worker/video.js" in video["sources"]
    for name in SCRIPTS:
        assert "sourceMappingURL=data:application/json;base64" not in (DIST / name).read_text()
    assert not (DIST / "dev-reload.js").exists()
    assert "dev_reload" not in (DIST / "index.html").read_text()


@pytest.mark.timeout(300)
def test_the_headers_are_those_of_production(served: Served, tmp_path: Path) -> None:
    """The page, its scripts and styles and each worker have exactly the headers that a release has."""
    with serving(tmp_path / "data", "--page", DIST) as release:
        for path in ("", "page.js", "worker.js", "video.js", "keeper.js", "styles.css", "leave.txt"):
            answer = release.http.get(f"/{path}", headers={"Accept-Encoding": "identity"})
            expected = {name: value for name, value in answer.headers.items() if name not in CHANGING}
            assert served.headers(path) == expected, path
            assert "content-security-policy" in expected


def test_a_complaint_is_one_line() -> None:
    """Of what esbuild says, the place and the reason are told, without the excerpt and without Node's own traceback."""
    said = '✘ [ERROR] Expected ";" but found "error"\n\n    web/page/app.js:224:7:\n      224 │ x\n\nnode:child_process'
    assert first_complaint(said) == 'web/page/app.js:224:7: Expected ";" but found "error"'
    assert first_complaint('✘ [ERROR] Could not read from file: "/gone"\n') == 'Could not read from file: "/gone"'
    assert first_complaint("sh: no such thing\nmore") == "sh: no such thing"
    assert first_complaint("") == "esbuild gave no reason"
