"""The sentences that browser tests look for: each is one of the page's, so that one that changed is found at once."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.hands import ELEMENTS
from tests.words import WEB, Message, language

TESTS: Final = Path(__file__).resolve().parents[1]
FILES: Final = sorted([*(TESTS / "e2e").glob("*.py"), TESTS / "screens" / "take.py"])
OTHER_WORDS: Final = ("index.html", "page/content/helplines.js", "page/content/platforms.js", "page/content/letters.js")
"""What the page says beside its words: without JavaScript, the names of organisations, and the letters."""
LOOKED_FOR: Final = {
    "press", "see", "wait_for", "wait_for_text", "unfold", "region", "tick", "write", "select", "guide", "count",
    "get_by_role", "get_by_text", "get_by_label", "_press", "_focused_heading", "_download",
}  # fmt: skip
"""Functions that are given what stands on the screen."""
TYPED: Final = {"write", "select"}
"""Those whose second argument is what the person types or chooses."""
VALUE: Final = "#"
"""Takes the place of what is filled in, and of every number."""
NAMES: Final = {"navigation", "group", "img"}
"""Roles that only Playwright's own functions are given."""


def sentences(module: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the text of each sentence that a test file looks for on the screen."""
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        for found in _looked_for(node):
            text = _text(constants.get(found.id, found) if isinstance(found, ast.Name) else found)
            if text is not None and text not in ELEMENTS.keys() | NAMES:
                yield found.lineno, text


def _looked_for(node: ast.AST) -> list[ast.expr]:
    """The expressions in a node that stand for something on the screen."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        where = node.comparators[0]
        shown = isinstance(where, ast.Call) and isinstance(where.func, ast.Attribute) and where.func.attr == "text"
        return [node.left] if shown and isinstance(where, ast.Call) and not where.args else []
    if not isinstance(node, ast.Call):
        return []
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    named = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
    return [*(node.args[:1] if name in TYPED else node.args), *named] if name in LOOKED_FOR else []


def _text(node: ast.expr) -> str | None:
    """A text in the source, its values replaced; `None` for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else VALUE for part in node.values)  # type: ignore[misc]
    return None


def _forms(message: Message) -> list[str]:
    if isinstance(message, str):
        return [message]
    return [text for form, inner in message.items() if form != "by" for text in _forms(inner)]


def _plain(text: str) -> str:
    """A text without what differs from one showing to the next."""
    return " ".join(re.sub(r"\{[a-z]+\}|\d+", VALUE, text).split())


KEYS: Final = frozenset(language("en")["words"])
SAID: Final = "\n".join(
    _plain(text)
    for text in [
        *(text for message in language("en")["words"].values() for text in _forms(message)),
        *(re.sub(r"<[^>]*>", " ", (WEB / name).read_text()) for name in OTHER_WORDS),
    ]
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TESTS)))
def test_what_a_test_looks_for_is_said_by_the_page(file: Path) -> None:
    """Every sentence that this file looks for, or makes sure is absent, is one of the page's, or the key of one."""
    found = sentences(ast.parse(file.read_text()))
    wrong = [f"{file}:{line}: {text}" for line, text in found if text not in KEYS and _plain(text) not in SAID]
    assert not wrong, "\n".join(wrong)


def test_a_sentence_that_nobody_says_is_found() -> None:
    """A sentence is found as an argument, as a constant, with a value, and where a test asks for its absence."""
    source = """
GONE = "a constant"
person.press("button", "an argument")
person.wait_for_text(GONE)
person.write("a label", "typed")
assert f"picture {number} is" not in person.text()
"""
    found = [text for _, text in sentences(ast.parse(source))]
    assert sorted(found) == ["a constant", "a label", "an argument", "picture # is"]
