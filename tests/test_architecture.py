"""The import rules of the design, checked against the sources."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "py" / "takeback"
WEB: Final = ROOT / "web"

ZONES: Final = {
    "errors": set[str](),
    "signals": {"errors"},
    "private": {"errors"},
    "protocol": {"errors", "signals"},
    "chain": {"errors", "protocol"},
    "bulk": {"errors", "signals", "protocol"},
    "limits": set[str](),
    "upload_file": {"errors"},
    "connections": {"errors"},
    "hashing": {"errors", "signals"},
    "benign_list": {"errors", "signals"},
    "times": set[str](),
    "registry": {
        "errors",
        "signals",
        "protocol",
        "chain",
        "bulk",
        "limits",
        "connections",
        "benign_list",
        "private",
        "times",
    },
    "gate": {
        "errors",
        "signals",
        "protocol",
        "chain",
        "bulk",
        "limits",
        "upload_file",
        "connections",
        "hashing",
        "benign_list",
        "private",
    },
    "lookup": {"errors", "signals", "protocol", "limits", "upload_file", "connections", "hashing", "gate", "private"},
    "integrations": {
        "errors",
        "signals",
        "protocol",
        "bulk",
        "limits",
        "upload_file",
        "connections",
        "hashing",
        "gate",
        "lookup",
    },
    "verify": {"errors", "connections"},
    "cli": {"errors"},
    "takeback": set[str](),
}
"""For each zone, the other zones that it may import. `takeback` is the package itself, with its version."""

OTHERS: Final = {
    "protocol": {"msgspec"},
    "chain": {"cryptography"},
    "limits": {"uvicorn"},
    "hashing/picture.py": {"PIL"},
    "hashing/drawing.py": {"PIL"},
    "hashing/partial.py": {"PIL"},
    "hashing/tiff_strips.py": {"PIL"},
    "hashing/sealed.py": {"pyodide"},
    "hashing/decoders.py": {"PIL", "imagecodecs", "pi_heif"},
    "hashing/phash.py": {"imagehash"},
    "hashing/rehearsal.py": {"PIL", "av", "imagecodecs", "pi_heif"},
    "hashing/size.py": {"PIL"},
    "hashing/confine.py": {"pyseccomp"},
    "hashing/video.py": {"av", "numpy"},
    "hashing/moving_box.py": {"numpy"},
    "hashing/commands.py": {"click"},
    "registry": {
        "alembic",
        "altcha",
        "click",
        "cryptography",
        "litestar",
        "msgspec",
        "prometheus_client",
        "sqlalchemy",
        "uvicorn",
    },
    "registry/http/parquet.py": {"pyarrow"},
    "gate": {"click", "httpx", "msgspec", "numpy"},
    **{
        f"gate/serve/{name}.py": {"prometheus_client", "python_multipart", "starlette", "uvicorn"}
        for name in ("app", "hma", "metrics", "server", "uploads")
    },
    **{
        f"gate/scan/{name}.py": {"click", "fsspec", "matplotlib", "numpy", "pyarrow", "ray", "sqlalchemy"}
        for name in ("cluster", "commands", "pool", "report", "run", "sources", "work")
    },
    "lookup": {"httpx", "msgspec"},
    "lookup/commands.py": {"click"},
    "lookup/service/app.py": {"starlette"},
    "lookup/service/server.py": {"starlette", "uvicorn"},
    "lookup/service/sealed_ids.py": {"cryptography"},
    "integrations": {"click", "httpx", "msgspec"},
    **{
        f"integrations/proxy/{name}.py": {"httpx", "msgspec", "python_multipart", "starlette", "uvicorn"}
        for name in ("answers", "app", "forms", "request", "server", "tunnel", "tus", "upstream")
    },
    "integrations/bucket/app.py": {"starlette"},
    "integrations/bucket/server.py": {"uvicorn"},
    "integrations/bucket/store.py": {"botocore"},
    "integrations/pict_rs/app.py": {"starlette"},
    "integrations/pict_rs/server.py": {"uvicorn"},
    **{f"integrations/synapse/{name}.py": {"synapse", "twisted"} for name in ("__init__", "module")},
    "integrations/threatexchange.py": {"threatexchange"},
    **{
        f"integrations/django/{name}.py": {"django"}
        for name in ("apps", "checks", "management/commands/takeback_check", "settings", "signals", "validators")
    },
    **{f"integrations/wagtail/{name}.py": {"django", "wagtail"} for name in ("apps", "forms")},
    "integrations/examples/fastapi_uploads.py": {"fastapi"},
    "integrations/examples/flask_uploads.py": {"flask"},
    "integrations/examples/starlette_uploads.py": {"starlette"},
    "verify": {"brotli", "click", "httpx", "msgspec"},
    "cli": {"click"},
}
"""For each zone, or single file, the installed packages that it may import. No others may be imported."""

PURE: Final = (
    "registry/rules/cases.py",
    "gate/feed/follow.py",
    "gate/rules/decision.py",
    "gate/upload_views/look_ups.py",
)
"""Modules that decide, and must not use the clock, the disk or the network."""
WORLD: Final = {"asyncio", "io", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time"}

PYTHON: Final = sorted(PACKAGE.rglob("*.py"))
PARTS: Final = ("page", "worker", "keeper", "words")
SCRIPTS: Final = sorted(file for part in PARTS for file in (WEB / part).rglob("*.js"))
TESTS: Final = sorted((ROOT / "tests").rglob("test_*.py"))


def forbidden(path: str, source: str) -> set[str]:
    """The forbidden imports of the module at `path`, which is relative to the package."""
    zone = zone_of(f"takeback.{path.removesuffix('.py').replace('/', '.')}")
    allowed = OTHERS.get(zone, set()) | OTHERS.get(path, set())
    zones = ZONES[zone] | {zone} | (set() if zone in {"errors", "takeback"} else {"takeback"})
    found = set()
    for name in imported(source):
        top = name.partition(".")[0]
        if top == "takeback":
            if zone_of(name) not in zones:
                found.add(name)
        elif top not in allowed and (zone in {"errors", "takeback"} or top not in sys.stdlib_module_names):
            found.add(name)
    return found


def zone_of(name: str) -> str:
    """The zone of a module of the package: the part after `takeback.`, or the package itself."""
    part = name.split(".")[1] if "." in name else "__init__"
    return part if part in ZONES else "takeback"


def imported(source: str) -> Iterator[str]:
    """The full names of all modules that a source imports, wherever the import is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "modules are imported by their full name"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_what_its_zone_may(file: Path) -> None:
    """A module of the package imports only what the design allows its zone."""
    assert forbidden(file.relative_to(PACKAGE).as_posix(), file.read_text()) == set()


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("registry/http/app.py", "from takeback.hashing import hash_picture"),
        ("registry/http/app.py", "from takeback import gate"),
        ("registry/storage/store.py", "def late():\n    from PIL import Image"),
        ("gate/service.py", "import takeback.registry.rules.cases"),
        ("hashing/pdq.py", "import numpy as np"),
        ("hashing/pdq.py", "from PIL import Image"),
        ("hashing/__init__.py", "from takeback.protocol import NewCase"),
        ("signals.py", "import msgspec"),
        ("errors.py", "import os"),
        ("errors.py", "from takeback import __version__"),
        ("__init__.py", "from takeback.errors import TakebackError"),
        ("cli.py", "from takeback.gate import Gate"),
        ("gate/commands.py", "import builder"),
        ("verify/site.py", "from takeback.gate.settings import Settings"),
    ],
)
def test_a_wrong_arrow_is_found(path: str, source: str) -> None:
    """A forbidden import is found, also inside a function."""
    assert forbidden(path, source) != set()


@pytest.mark.parametrize("path", PURE)
def test_what_decides_touches_nothing(path: str) -> None:
    """A module that decides imports no clock, randomness, disk or network."""
    tops = {name.partition(".")[0] for name in imported((PACKAGE / path).read_text())}
    assert tops <= sys.stdlib_module_names - WORLD | {"takeback"}


def test_only_the_command_line_imports_by_name() -> None:
    """Only the command line imports modules by names computed at run time, which no rule could check."""
    by_name = {file.name for file in PYTHON if re.search(r"\bimport_module\b|\b__import__\b", file.read_text())}
    assert by_name == {"cli.py"}


def script_imports(source: str) -> list[str]:
    """All modules that a script names: imported, re-exported, imported dynamically, or in a type."""
    return re.findall(r"""(?:\bfrom\s*|(?<!["'])\bimport\s*\(?\s*)["']([^"']+)["']""", source)


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.relative_to(WEB).as_posix())
def test_a_script_stays_in_its_part(file: Path) -> None:
    """The page imports the page, its words and its packages; words, worker and keeper nothing but their own.

    What page and worker both name are types alone: the messages between them. Rooms: tests/web/test_rooms.py.
    """
    part = file.relative_to(WEB).parts[0]
    may = {"page": {"page", "words"}, "words": {"words"}, "worker": {"worker"}, "keeper": {"keeper"}}[part]
    names = script_imports(file.read_text())
    if part in {"page", "worker"}:
        names = [name for name in names if (file.parent / name).resolve() != WEB / "messages.d.ts"]
    outside = {name for name in names if not name.startswith(".")}
    sealed = {"pyodide", "mediabunny", "hash-wasm", "libheif-js", "@jsquash", "takeback-kernel"}
    assert {name.split("/")[0] for name in outside} <= {"page": {"altcha-lib", "lean-qr"}, "worker": sealed}.get(
        part, set()
    )
    targets = [(file.parent / name).resolve() for name in names if name.startswith(".")]
    assert {target.relative_to(WEB).parts[0] for target in targets} <= may


def test_every_form_of_import_in_a_script_is_read() -> None:
    """Plain, bare, dynamic, re-exported and typed imports are all found."""
    source = """
    import { a } from "./a.js";
    import "./b.js";
    const c = await import("./c.js");
    export { d } from './d.js';
    /** @param {import("./e.js").E} e */
    """
    assert script_imports(source) == ["./a.js", "./b.js", "./c.js", "./d.js", "./e.js"]


def test_one_script_starts_the_workers() -> None:
    """Of the page's scripts, exactly one creates workers, and one more uses service workers."""
    makers = {file.name for file in SCRIPTS if re.search(r"\bnew\s+Worker\b", file.read_text())}
    assert makers == {"workers.js"}
    knowing = {file.name for file in SCRIPTS if re.search(r"SharedWorker|serviceWorker", file.read_text())}
    assert knowing == {"keep.js", "workers.js"}


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_test_says_what_it_shows(file: Path) -> None:
    """Each test has a one-sentence docstring that says what holds if it passes."""
    functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
    tests = [function for function in functions if function.name.startswith("test_")]
    assert [test.name for test in tests if not (ast.get_docstring(test) or "").rstrip().endswith(".")] == []
