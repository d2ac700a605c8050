"""The one conversion that the hashing code asks for."""

from _pyodide_core import to_js  # type: ignore[import-not-found]  # exists only in the browser

__all__ = ["to_js"]
