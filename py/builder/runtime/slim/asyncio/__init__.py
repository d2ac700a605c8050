"""Stands in for asyncio, which Pyodide imports to turn promises into futures. The worker has neither."""


class Future:
    """Known by name to Pyodide; never made."""
