"""Runs the few lines of Python in Pyodide's JavaScript, and imports modules for it."""

from importlib import import_module
from types import ModuleType


def eval_code(source: str, namespace: dict[str, object] | None = None) -> object:
    """Runs the statements in `source`, which semicolons separate, and returns the value of the last one."""
    statements, _, expression = source.rpartition(";")
    namespace = {} if namespace is None else namespace
    exec(statements, namespace)  # noqa: S102 - the sources are constants in Pyodide's JavaScript
    return eval(expression.strip(), namespace)  # noqa: S307


def pyimport_impl(name: str) -> ModuleType:
    """Imports a module for `pyodide.pyimport`."""
    return import_module(name)
