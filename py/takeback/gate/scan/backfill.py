"""How far the entries of the feed were matched against what the platform has stored."""

from pathlib import Path
from typing import Final

from takeback.errors import StateDamaged

BACKFILL_FILE: Final = "backfill"


def last(home: Path) -> int:
    """The number that the last finished backfill of the gate in `home` reached, 0 if there was none."""
    path = home / BACKFILL_FILE
    try:
        return int(path.read_text("ascii"))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise StateDamaged(f"{path} cannot be read: remove it, and say --since NUMBER once") from error


def finished(home: Path, number: int) -> None:
    """Notes that a backfill reached this number; never sets it back."""
    if number > last(home):
        draft = home / f"{BACKFILL_FILE}.new"
        draft.write_text(str(number), "ascii")
        draft.replace(home / BACKFILL_FILE)
