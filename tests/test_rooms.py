"""The rooms of the code: imports between them form no cycle, private names stay private, and names are unique."""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

import pytest

from tests.bench.structure import PACKAGES, ROOT, Module, arrows, backward, modules

FOUND: Final = modules()
PURE_ROOMS: Final = ("takeback.registry.rules", "takeback.gate.rules", "takeback.gate.upload_views")
"""Rooms whose modules only decide."""
READS: Final = {
    "takeback.gate.rules.policy": {"pathlib"},
    "takeback.gate.rules.benign_list": {"pathlib"},
    "takeback.registry.rules.benign_list": {"pathlib"},
    "takeback.registry.rules.publication_delay": {"secrets"},
}
"""Exceptions for modules of these rooms: reading a person's settings file, and randomness for a secret."""
WORLD: Final = frozenset(
    {"asyncio", "io", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time"}
)
ROOMS: Final = sorted(
    name for name, module in FOUND.items() if module.name.endswith("__init__") and name.count(".") >= 1
)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_arrow_runs_back(package: str) -> None:
    """Imports between rooms lead one way: no room imports, directly or indirectly, a room that imports it."""
    assert backward(arrows(FOUND, package)) == []


def test_an_arrow_that_runs_back_is_found() -> None:
    """A cycle is found, also through a third room."""
    assert backward(Counter({("a", "b"): 1, ("b", "c"): 1})) == []
    assert backward(Counter({("a", "b"): 1, ("b", "c"): 1, ("c", "a"): 1})) == [("a", "b"), ("b", "c"), ("c", "a")]


def private_names(module: Module) -> Iterator[str]:
    """The private names that a module imports, with their origin."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name.startswith("_"))


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_module_takes_no_private_name(name: str) -> None:
    """A name with a leading underscore stays in its module."""
    allowed = {"takeback.__version__"}
    assert set(private_names(FOUND[name])) - allowed == set()


@pytest.mark.parametrize("name", [name for name in sorted(FOUND) if name.startswith(PURE_ROOMS)])
def test_what_decides_is_pure(name: str) -> None:
    """A module that decides uses no clock, disk or network, apart from the listed exceptions."""
    taken = {top for top in imports(FOUND[name]) if top in WORLD}
    assert taken == READS.get(name, set())


def imports(module: Module) -> Iterator[str]:
    """The top-level name of every import."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def test_what_decides_imports_no_package_of_others() -> None:
    """Rooms that decide import only the standard library, msgspec and numpy."""
    found = {
        top
        for name, module in FOUND.items()
        if name.startswith(PURE_ROOMS)
        for top in imports(module)
        if top not in sys.stdlib_module_names
    }
    assert found <= {"takeback", "msgspec", "numpy"}


def test_a_public_class_has_a_name_of_its_own() -> None:
    """No two public classes or types of the package and the builder share a name."""
    places = defaultdict(list)
    for name, module in FOUND.items():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
            elif isinstance(node, ast.TypeAlias):
                places[node.name.id].append(name)
    assert {name: where for name, where in places.items() if len(where) > 1 and not name.startswith("_")} == {}


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_says_what_belongs_in_it(name: str) -> None:
    """Each package's docstring says what belongs in it, in more than one sentence if it has more than one module."""
    text = ast.get_docstring(FOUND[name].tree) or ""
    assert text.endswith(".")
    folder = ROOT / "py" / name.replace(".", "/")
    if len(list(folder.glob("*.py"))) > 3:
        assert text.count(".") >= 2, "say what belongs here, what it may import and where its door is"
