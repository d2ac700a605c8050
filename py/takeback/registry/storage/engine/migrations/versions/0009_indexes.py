"""Indexes for questions that read whole tables, and SQLite's of active entries in the words in which it is asked."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Makes the indexes; SQLite's of active entries anew."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    active = "active = 1" if sqlite else "active"
    noticed = sa.text(f"{active} AND standing <> 'block'")
    if sqlite:
        op.drop_index("entries_active", "entries")
        op.create_index("entries_active", "entries", ["value", "type"], unique=True, sqlite_where=sa.text(active))
    op.create_index("entries_noticed", "entries", ["number"], sqlite_where=noticed, postgresql_where=noticed)
    op.create_index("submissions_case", "submissions", ["case_number"])
    op.create_index("feedback_entries_feedback", "feedback_entries", ["feedback"])
