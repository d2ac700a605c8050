"""Replaces logging: Pillow writes of what it reads, and nobody sees it in a worker."""


class _Logger:
    """Takes what is logged, and drops it."""

    def debug(self, *_values: object) -> None:
        """Drops a message."""

    info = warning = error = exception = debug


def getLogger(_name: str) -> _Logger:  # noqa: N802 - as in logging
    """Returns the one logger."""
    return _LOGGER


_LOGGER = _Logger()
