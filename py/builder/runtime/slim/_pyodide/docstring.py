"""Documentation of methods, which nobody reads in a worker."""


def get_cmeth_docstring(_method: object) -> str:
    """Returns no documentation."""
    return ""
