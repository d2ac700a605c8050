"""Durations in seconds, and times as the protocol writes them. All times are UTC."""

from datetime import UTC, datetime
from typing import Final

HOUR_SECONDS: Final = 60 * 60
DAY_SECONDS: Final = 24 * HOUR_SECONDS


def moment(seconds: int) -> str:
    """Formats the time `seconds` after 1970 as the protocol does: `2026-11-23T10:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(seconds: int) -> str:
    """Formats the day of the time `seconds` after 1970 as the protocol does: `2026-11-23`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
