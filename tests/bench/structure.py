"""Measures the code itself: rooms, the imports between them, the lengths of functions, and docstrings."""

import ast
import asyncio
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import httpx

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = ROOT / "py"
PACKAGES: Final = ("takeback.registry", "takeback.gate", "takeback.hashing", "takeback.lookup", "builder")

type Function = ast.FunctionDef | ast.AsyncFunctionDef
type Arrow = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Module:
    """A Python source file: its dotted name, its text, and its syntax tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The package that contains the module; a module directly in `takeback` is a room of its own."""
        package, _, _ = self.name.rpartition(".")
        return package if package not in {"", "takeback"} else self.name

    def functions(self) -> Iterator[Function]:
        """Every function and method."""
        yield from (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def modules() -> dict[str, Module]:
    """All modules of the package and the builder by name, without migrations and replacements for Pyodide's modules."""
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        if {"migrations", "slim"} & set(path.parts):
            continue
        text = path.read_text("utf-8")
        name = ".".join(path.relative_to(SOURCES).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = Module(name, text, ast.parse(text))
    return found


def arrows(found: dict[str, Module], package: str) -> Counter[Arrow]:
    """Counts the imports from one room inside `package` to another.

    Modules directly in `package` count separately, because it holds both the lowest (settings, log) and the highest
    (server, commands).
    """
    counted: Counter[Arrow] = Counter()
    for module in found.values():
        if not module.name.startswith(f"{package}.") or module.name.endswith("__init__"):
            continue
        for target in imported(module, found):
            ends = (place(module.name, package), place(target, package))
            if target.startswith(f"{package}.") and ends[0] != ends[1]:
                counted[ends] += 1
    return counted


def place(name: str, package: str) -> str:
    """The room of a module inside `package`; the module itself if it is directly there."""
    inside = name.removeprefix(f"{package}.")
    return inside.rpartition(".")[0] or f"{inside}.py"


def imported(module: Module, found: dict[str, Module]) -> Iterator[str]:
    """The modules of `found` that a module imports, wherever the import is; packages do not count."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                name = full if full in found else node.module or ""
                if name in found and not found[name].name.endswith("__init__"):
                    yield name


def backward(counted: Counter[Arrow]) -> list[Arrow]:
    """The arrows that are part of a cycle."""
    onward: dict[str, set[str]] = {}
    for start, end in counted:
        onward.setdefault(start, set()).add(end)
    return sorted((start, end) for start, end in counted if start in _reached(end, onward))


def _reached(start: str, onward: dict[str, set[str]]) -> set[str]:
    reached, left = set[str](), [start]
    while left:
        fresh = onward.get(left.pop(), set()) - reached
        reached |= fresh
        left += fresh
    return reached


def length(function: Function) -> int:
    """The lines of a function, including its docstring and signature."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def raises(function: Function) -> bool:
    """Whether a function itself raises an error; raising a caught one again does not count."""
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(function))


def is_public(function: Function) -> bool:
    """Whether a function's name is public."""
    return not function.name.startswith("_")


def says_its_errors(function: Function) -> bool:
    """Whether a function's docstring says what it raises."""
    return "raises" in (ast.get_docstring(function) or "").lower()


def modules_of_a_case() -> set[str]:
    """The registry's modules whose code runs while it answers one `POST /v1/cases`."""
    from takeback.registry.server import build_site
    from takeback.registry.settings import RegistrySettings

    names: set[str] = set()

    def note(frame: FrameType, _event: str, _value: object) -> None:
        names.add(frame.f_globals.get("__name__", ""))

    with tempfile.TemporaryDirectory() as folder:
        site, services = build_site(RegistrySettings(data=Path(folder, "data"), work=0))

        async def send() -> int:
            transport = httpx.ASGITransport(app=site)
            async with httpx.AsyncClient(transport=transport, base_url="http://registry") as client:
                headers = {"Takeback-Pin": "K7QM-2XRW-9DHF", "Idempotency-Key": secrets.token_hex(16)}
                signal = {"type": "md5", "value": secrets.token_hex(16)}
                answer = await client.post("/v1/cases", headers=headers, json={"pictures": [{"signals": [signal]}]})
                return answer.status_code

        time.sleep(0.2)  # background tasks have started
        threading.setprofile_all_threads(note)
        try:
            status = asyncio.run(send())
        finally:
            threading.setprofile_all_threads(None)
            sys.setprofile(None)
            services.store.close()
    if status != httpx.codes.CREATED:
        raise RuntimeError(f"the registry answered {status}")
    return {name for name in names if name.startswith("takeback.")}


def main() -> None:
    """Prints the figures."""
    found = modules()
    rooms = Counter(module.room for module in found.values())
    lines = Counter[str]()
    for module in found.values():
        lines[module.room] += module.text.count("\n")
    print(f"{'room':34} files  lines")
    for room, files in sorted(rooms.items()):
        print(f"{room:34} {files:5} {lines[room]:6}")
    for package in PACKAGES:
        counted = arrows(found, package)
        print(
            f"{package}: {len(counted)} arrows between rooms, {sum(counted.values())} imports, "
            f"{len(backward(counted))} arrows run back"
        )
    functions = [function for module in found.values() for function in module.functions()]
    lengths = sorted(map(length, functions))
    middle, high = statistics.median(lengths), lengths[int(len(lengths) * 0.95)]
    print(f"functions: {len(lengths)}, lines median {middle:g}, 95 in 100 at most {high}, longest {lengths[-1]}")
    public = [function for function in functions if is_public(function) and raises(function)]
    named = sum(map(says_its_errors, public))
    print(f"public functions that raise: {len(public)}, of which {named} name their errors in the docstring")
    comments = sum(line.lstrip().startswith("#") for module in found.values() for line in module.text.splitlines())
    print(f"lines that are comments: {comments} of {sum(lines.values())}")
    passed = modules_of_a_case()
    print(f"modules that a POST /v1/cases passes: {len(passed)} ({', '.join(sorted(passed))})")
    print("the page and its workers, by node tests/web/figures.mjs:", flush=True)
    subprocess.run(["node", str(ROOT / "tests" / "web" / "figures.mjs")], check=True)
