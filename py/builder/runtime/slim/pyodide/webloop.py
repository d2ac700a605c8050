"""Stands in for Pyodide's event loop on asyncio. The worker calls Python and waits; nothing in it is asynchronous.

asyncio, ssl and what they import would be half of the time that Python takes to start.
"""


def _initialize_event_loop() -> None:
    """Leaves asyncio alone."""
