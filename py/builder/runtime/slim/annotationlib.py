"""Replaces annotationlib, with which `typing.NamedTuple` reads the types of its fields. It would import `ast`.

All annotations are evaluated, so none may name what is defined later.
"""

from collections.abc import Callable, Mapping
from typing import Any


class Format:
    """How annotations are given: as values."""

    VALUE = FORWARDREF = 1
    STRING = 4


class ForwardRef:
    """The name of a type, as Pillow and numpy write some of theirs. Nobody looks it up."""

    __forward_code__ = None

    def __init__(self, name: str, **_options: object) -> None:
        self.__forward_arg__ = name


def get_annotate_from_class_namespace(namespace: Mapping[str, Any]) -> Callable[[int], dict[str, Any]] | None:
    """Returns the function that evaluates the annotations of a class, if it has any."""
    return namespace.get("__annotate_func__")


def call_annotate_function(
    annotate: Callable[[int], dict[str, Any]], _format: int, **_options: object
) -> dict[str, Any]:
    """Evaluates annotations."""
    return annotate(Format.VALUE)


def get_annotations(owner: Any, **_options: object) -> dict[str, Any]:
    """Evaluates the annotations of a function or class."""
    return dict(owner.__annotations__)
