"""The Python side of the types in Pyodide's compiled code, without the documentation of their methods."""

from typing import Any


class _JsProxyMetaClass(type):
    """The type of the types of JavaScript objects."""


class InternalError(Exception):
    """A fault in Pyodide."""


class ConversionError(Exception):
    """A value that cannot be converted to JavaScript."""


class JsBigInt(int):
    """An integer that becomes a `BigInt` in JavaScript, at any size."""


class _JsNull:
    """JavaScript's `null`."""


class _Undocumented:
    """Stands for a class whose methods Pyodide asks for their documentation."""

    def __getattr__(self, _name: str) -> None:
        return None


_instantiate_token = None
jsnull = _JsNull()


def __getattr__(name: str) -> Any:
    """Returns a class or a function of which only the documentation is wanted."""
    if name.startswith("__"):
        raise AttributeError(name)
    return _undocumented if name.startswith("Js") else None


def _undocumented(_token: object) -> _Undocumented:
    return _Undocumented()
