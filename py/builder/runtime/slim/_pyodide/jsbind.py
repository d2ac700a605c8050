"""How Python calls functions of JavaScript: all in one way, without signatures of their own."""

from _pyodide_core import (  # type: ignore[import-not-found]  # exists only in the browser
    JsFuncSignature,
    js2py_default_call_result,
    py2js_default,
)

no_default = object()


def _any(*_values: object, **_options: object) -> None:
    """Stands for a function of JavaScript."""


default_signature = JsFuncSignature(
    _any, False, 0, (), (), py2js_default, (), (), (), py2js_default, js2py_default_call_result
)  # fmt: skip
