"""Replaces asyncio, which Pyodide imports to turn promises into futures. The worker uses neither."""


class Future:
    """Known by name to Pyodide; never made."""
