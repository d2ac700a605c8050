"""Replaces sysconfig, which ctypes imports for a path on Windows."""


def get_config_var(_name: str) -> None:
    """Knows no variable."""
