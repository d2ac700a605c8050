"""The public API: what is exported is described, and nothing private shows in it."""

import ast
import builtins
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import pytest

from builder.release.reference import INTERNAL, PUBLIC, REFERENCE, definition, fields, home_of, methods, reference

EXPORTED: Final = [(public, name) for public in PUBLIC for name in import_module(public).__all__]


def test_the_reference_is_up_to_date() -> None:
    """API.md is what `python3 build.py reference` writes now."""
    assert REFERENCE.read_text("utf-8") == reference()


@pytest.mark.parametrize(("public", "name"), EXPORTED)
def test_every_name_is_described(public: str, name: str) -> None:
    """Each exported name stands in the reference, and it and each of its methods have a docstring."""
    thing = getattr(import_module(public), name)
    assert home_of(thing) in PUBLIC
    node = definition(thing)
    parts = [node, *(methods(node) if isinstance(node, ast.ClassDef) else [])]
    assert [part.name for part in parts if not ast.get_docstring(part)] == []
    assert name in reference()


def test_errors_are_all_exported() -> None:
    """Every error of the package is public."""
    module = import_module("takeback.errors")
    assert sorted(module.__all__) == sorted(name for name, _ in inspect.getmembers(module, inspect.isclass))


def annotations(node: ast.ClassDef | ast.FunctionDef) -> Iterator[str]:
    """The names in the types of everything public in a definition."""
    if isinstance(node, ast.ClassDef):
        texts = [field.partition(":")[2].partition("=")[0] for field, _ in fields(node) if ":" in field]
        nodes = [ast.parse(text.strip(), mode="eval") for text in texts]
        yield from (name.id for one in nodes for name in ast.walk(one) if isinstance(name, ast.Name))
        for method in methods(node):
            yield from annotations(method)
        return
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    for part in [*(argument.annotation for argument in arguments), node.returns]:
        yield from (name.id for name in ast.walk(part) if isinstance(name, ast.Name)) if part else ()


def is_public(thing: Any) -> bool:
    """Whether a platform may name a type: it is exported, or another package's."""
    module = getattr(thing, "__module__", "typing")
    return not module.startswith("takeback") or home_of(thing) in PUBLIC


@pytest.mark.parametrize(("public", "name"), EXPORTED)
def test_no_private_type_is_needed(public: str, name: str) -> None:
    """Every type in a public signature or field is exported too, or is not ours."""
    thing = getattr(import_module(public), name)
    scope = {**vars(builtins), **vars(sys.modules[thing.__module__])}
    assert [one for one in annotations(definition(thing)) if not is_public(scope[one])] == []


def test_what_is_internal_exists() -> None:
    """Each member that is left out of the reference is one of a public class."""
    for name, hidden in INTERNAL.items():
        (thing,) = {getattr(import_module(public), one) for public, one in EXPORTED if one == name}
        assert hidden <= vars(thing).keys()
