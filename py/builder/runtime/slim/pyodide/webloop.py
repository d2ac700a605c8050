"""Replaces Pyodide's event loop, which uses asyncio. The worker calls Python and waits; nothing in it is asynchronous.

asyncio, ssl and their imports would take half of Python's start-up time.
"""


def _initialize_event_loop() -> None:
    """Leaves asyncio alone."""
