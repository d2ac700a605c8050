"""The rooms of the page: which may import which, and how long functions and files may be; `figures.mjs` reads them."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
WEB: Final = ROOT / "web"
MESSAGES: Final = "messages.d.ts"
MAX_FUNCTION_LINES: Final = 60
"""A function is read in one look."""
MAX_FILE_LINES: Final = 400
"""A file is read in one sitting. Lists of words and of addresses are looked up and not read."""
LISTS: Final = {"words/en.js", "page/content/helplines.js"}

ROOMS: Final = {
    "words": set[str](),
    "page/state": set[str](),
    "page/engine": set[str](),
    "page/registry": set[str](),
    "page/language": {"words"},
    "page/content": {"page/language"},
    "page/ui": {"page/language"},
    "page/session": {"page/engine", "page/registry", "page/content"},
    "page/screens/shared": {
        *("page/state", "page/engine", "page/registry", "page/language"),
        *("page/content", "page/ui", "page/session"),
    },
    "page/screens": {
        *("page/state", "page/registry", "page/language", "page/content", "page/ui"),
        *("page/session", "page/screens/shared"),
    },
    "page/frame": {"page/state", "page/engine", "page/language", "page/ui"},
    "page": {
        *("page/state", "page/engine", "page/registry", "page/language", "page/session"),
        *("page/screens", "page/screens/shared", "page/frame"),
    },
    "worker": set[str](),
    "keeper": set[str](),
}
"""For each room the rooms that it may import, lower ones first: a room imports none that stands after it."""


@cache
def _figures(web: Path = WEB) -> dict[str, Any]:
    """What `figures.mjs` reads from a folder."""
    command = ["node", str(ROOT / "tests" / "web" / "figures.mjs"), str(web), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(ran.stdout)
    return figures


def _forbidden(web: Path = WEB) -> set[tuple[str, str]]:
    """The imports that go from a room to one that it may not import."""
    found = set()
    for arrow in _figures(web)["arrows"]:
        room, other = (PurePosixPath(arrow[end]).parent.as_posix() for end in ("from", "to"))
        if other != room and arrow["to"] != MESSAGES and other not in ROOMS.get(room, set()):
            found.add((arrow["from"], arrow["to"]))
    return found


def test_rooms_stand_on_each_other() -> None:
    """In the table of rooms each room imports rooms that stand before it, so no arrow can run back."""
    rooms = list(ROOMS)
    for at, room in enumerate(rooms):
        assert ROOMS[room] <= set(rooms[:at]), room


def test_every_module_is_in_a_room() -> None:
    """Every module of the web part is in one of the rooms of the table, but for the types of messages."""
    assert set(_figures()["rooms"]) == {*ROOMS, "."}
    assert sorted(path.name for path in WEB.glob("*.ts")) == [MESSAGES]


def test_rooms_import_only_what_they_may() -> None:
    """No module imports from a room, or takes a type from one, that its room may not import."""
    assert _forbidden() == set()


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("page/engine/door.js", 'import { say } from "../language/words.js";'),
        ("page/ui/dom.js", '/** @param {import("../screens/start.js").Screen} screen */'),
        ("page/registry/client.js", 'export * from "../engine/door.js";'),
        ("page/content/letters.js", 'const late = await import("../ui/save.js");'),
        ("worker/worker.js", 'import { Door } from "../page/engine/door.js";'),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, source: str) -> None:
    """An import, a late one, one passed on and a type from a room above are all found."""
    module = tmp_path / file
    module.parent.mkdir(parents=True)
    module.write_text(source)
    assert {arrow[0] for arrow in _forbidden(tmp_path)} == {file}


def test_the_messages_are_types_alone() -> None:
    """The file that page and workers share holds types, and is named in types and nowhere else."""
    assert (
        re.findall(r"^export (?!type|interface)|^(?:import|declare)\b", (WEB / MESSAGES).read_text(), re.MULTILINE)
        == []
    )
    for path in WEB.rglob("*.js"):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        assert MESSAGES not in code, path


def test_functions_are_short() -> None:
    """No function of the page, of the workers or of the service worker is longer than 60 lines."""
    found = {(each["file"], each["name"], each["lines"]) for each in _figures()["functions"]}
    assert len(found) > 300
    assert {each for each in found if each[2] > MAX_FUNCTION_LINES} == set()


def test_files_are_read_in_one_sitting() -> None:
    """No script and no style sheet is longer than 400 lines, but for the lists of words and of help lines."""
    files = [path for suffix in ("js", "ts", "css") for path in WEB.rglob(f"*.{suffix}")]
    lines = {path.relative_to(WEB).as_posix(): path.read_text().count("\n") for path in files}
    assert {name for name, count in lines.items() if count > MAX_FILE_LINES} == LISTS


def test_the_readme_names_what_is_there() -> None:
    """Every script, style sheet and folder that web/README.md names is there, and every room is in its map."""
    text = (WEB / "README.md").read_text()
    named = set(re.findall(r"[\w./-]+\.(?:js|ts|mjs|py|html|md)\b", text))
    places = [ROOT, WEB, WEB / "page", *(WEB / room for room in ROOMS)]
    assert {name for name in named if not any((place / name).is_file() for place in places)} == set()
    drawn = {line.split()[0].rstrip("/") for line in re.findall(r"^ *[\w.]+/ .*", text, re.MULTILINE)}
    assert {PurePosixPath(room).name for room in ROOMS} <= drawn


@pytest.mark.parametrize("test", sorted(path.name for path in Path(__file__).parent.rglob("*.test.js")))
def test_tests_stand_where_the_modules_do(test: str) -> None:
    """A file of JavaScript tests is named by a module and stands in the folder of that module."""
    (path,) = Path(__file__).parent.rglob(test)
    module = WEB / path.relative_to(Path(__file__).parent).parent / test.replace(".test.js", ".js")
    assert module.is_file()
