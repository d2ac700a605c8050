"""Pyodide's finders, which the worker does not have: its Python imports nothing from JavaScript."""


def register_js_finder() -> None:
    """Does nothing."""


def register_js_module(_name: str, _module: object) -> None:
    """Does nothing."""


def register_windows_finder() -> None:
    """Does nothing."""


def register_module_not_found_hook(_packages: object) -> None:
    """Does nothing: there are no packages that could be installed."""


def add_note_to_module_not_found_error(_error: ModuleNotFoundError) -> None:
    """Adds nothing: there are no packages that could be installed."""
