"""Replaces Pyodide's own start in Python, which takes as long as CPython's.

It is 3,000 lines of documentation, of signatures and of finders for what the worker never does. These modules hold
what Pyodide's compiled code and its JavaScript look for by name, and no more. `SLIM_FOR` in `archives.py` names the
release that they were written for.
"""

import sys
from types import ModuleType

from . import _base, _importhook

__all__ = ["_base", "_importhook"]


class _Inspect(ModuleType):
    """Stands for `inspect` while Pyodide starts and takes this one function from it."""

    @staticmethod
    def iscoroutinefunction(_function: object) -> bool:
        """Says no: nothing in the worker is asynchronous."""
        return False


sys.modules["inspect"] = _Inspect("inspect")


def set_excepthook() -> None:
    """Ends the start: from now on `inspect` is the real one, which numpy imports. CPython's own hook stays."""
    del sys.modules["inspect"]
