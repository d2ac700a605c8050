"""Writes the reference of the public Python API, `py/takeback/API.md`, from signatures and docstrings."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Final

from builder import ROOT

REFERENCE: Final = ROOT / "py" / "takeback" / "API.md"
PUBLIC: Final = ("takeback.gate", "takeback.hashing", "takeback.errors", "takeback.lookup")
"""The modules whose `__all__` is the public API."""
INTERNAL: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "Gate": frozenset(
            {
                *("read", "judge"),  # two halves of `check`, for the sidecar
                *("check_question", "queue_feedback", "listed_beginning"),  # for the look-up service
            }
        ),
        "Policy": frozenset({"budget", "reach", "uses_low_quality", "least_quality"}),  # derived, for the index
    }
)
"""Members of public classes that only the package itself uses."""
HEAD: Final = """\
# The Python API

What `takeback.gate`, `takeback.hashing`, `takeback.errors` and `takeback.lookup` export, and `takeback.__version__`.
Everything else in the package is private and may change in any release. `python3 build.py reference` writes this page
from the sources.
"""


def reference() -> str:
    """The page in Markdown."""
    return "\n".join([HEAD, *(_module(import_module(name)) for name in PUBLIC)])


def _module(module: ModuleType) -> str:
    """One module: its docstring, and each name of its `__all__`."""
    parts = [f"## `{module.__name__}`", _prose(inspect.getdoc(module) or "")]
    for name in module.__all__:
        thing = getattr(module, name)
        home = home_of(thing)
        parts += _thing(thing) if home == module.__name__ else [f"### `{name}`\nThe same as `{home}.{name}`.\n"]
    return "\n".join(parts)


def home_of(thing: type) -> str | None:
    """The public module that describes a class or a function: the one that defines it, or the first that exports it."""
    exporting = [name for name in PUBLIC if getattr(import_module(name), thing.__name__, None) is thing]
    return next((name for name in exporting if thing.__module__.startswith(name)), (*exporting, None)[0])


def _thing(thing: object) -> Iterator[str]:
    """A class with its fields and methods, or a function."""
    node = definition(thing)
    if isinstance(node, ast.FunctionDef):
        yield f"### `{signature(node)}`\n{_doc(node)}"
        return
    bases = ", ".join(base for base in map(ast.unparse, node.bases) if not base.startswith("_"))
    yield f"### `class {node.name}{f'({bases})' if bases else ''}`\n{_doc(node)}"
    if lines := [f"# {doc}\n{field}" if doc else field for field, doc in _all_fields(thing, node)]:
        yield "\n".join(["```python", *lines, "```\n"])
    yield from (f"#### `{node.name}.{signature(method)}`\n{_doc(method)}" for method in methods(node))


def definition(thing: object) -> ast.ClassDef | ast.FunctionDef:
    """The source of a class or a function, parsed."""
    assert inspect.isclass(thing) or inspect.isfunction(thing)
    node = ast.parse(inspect.getsource(thing)).body[0]
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    return node


def _all_fields(thing: object, node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The fields of a class and of its private bases, which readers need not know."""
    assert isinstance(thing, type)
    for base in thing.__bases__:
        if base.__name__.startswith("_") and isinstance(found := definition(base), ast.ClassDef):
            yield from fields(found)
    yield from fields(node)


def fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The public fields of a class, as its source has them, each with the text below it in one line."""
    for member, after in zip(node.body, [*node.body[1:], None], strict=True):
        match member:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]) if _shown(
                node, name
            ):
                yield ast.unparse(member).replace("'", '"'), " ".join(_text(after).split())


def methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """The public methods and properties of a class."""
    return [member for member in node.body if isinstance(member, ast.FunctionDef) and _shown(node, member.name)]


def signature(node: ast.FunctionDef) -> str:
    """A function as it is called: without `self`; a property without parentheses."""
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    if "property" in decorators:
        return f"{node.name}{returns}"
    arguments = ast.unparse(node.args)
    for own in ("self", "cls"):
        arguments = arguments.removeprefix(own).removeprefix(", ")
    return f"{node.name}({arguments}){returns}"


def _shown(node: ast.ClassDef, name: str) -> bool:
    """Whether a member of a class is public."""
    return not name.startswith("_") and name not in INTERNAL.get(node.name, ())


def _text(node: ast.stmt | None) -> str:
    """The text that stands below a field, if there is one."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return inspect.cleandoc(text)
    return ""


def _doc(node: ast.ClassDef | ast.FunctionDef) -> str:
    return _prose(ast.get_docstring(node) or "")


def _prose(text: str) -> str:
    """A docstring as a paragraph of Markdown; a drawing in it stays as it is."""
    if "──" in text:
        head, _, drawing = text.partition("\n\n")
        return f"{head}\n\n```\n{drawing}\n```\n"
    return f"{text}\n"


def write(path: Path = REFERENCE) -> None:
    """Writes the page."""
    path.write_text(reference(), "utf-8")
