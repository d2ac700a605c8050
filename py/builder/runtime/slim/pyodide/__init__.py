"""Replaces Pyodide's package, of which the worker uses `to_js` alone."""
