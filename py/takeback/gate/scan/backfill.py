"""Records up to which feed number entries were matched against the platform's stored uploads."""

from pathlib import Path
from typing import Final

from takeback.errors import StateDamaged

BACKFILL_FILE: Final = "backfill"


def last(home: Path) -> int:
    """Returns the feed number that the last finished backfill of the gate in `home` reached, 0 if there was none.

    Raises `StateDamaged` if the record cannot be read.
    """
    path = home / BACKFILL_FILE
    try:
        return int(path.read_text("ascii"))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise StateDamaged(f"{path} cannot be read: remove it, and give --since NUMBER once") from error


def finished(home: Path, number: int) -> None:
    """Records that a backfill reached this number, unless an earlier one went further. Raises `StateDamaged`."""
    if number > last(home):
        draft = home / f"{BACKFILL_FILE}.new"
        draft.write_text(str(number), "ascii")
        draft.replace(home / BACKFILL_FILE)
