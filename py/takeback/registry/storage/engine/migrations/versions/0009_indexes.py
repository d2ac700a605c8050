"""Adds indexes for queries that read whole tables, and words SQLite's index of active entries as queries do."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Adds the indexes, and replaces SQLite's index of active entries."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    active = "active = 1" if sqlite else "active"
    noticed = sa.text(f"{active} AND standing <> 'block'")
    if sqlite:
        op.drop_index("entries_active", "entries")
        op.create_index("entries_active", "entries", ["value", "type"], unique=True, sqlite_where=sa.text(active))
    op.create_index("entries_noticed", "entries", ["number"], sqlite_where=noticed, postgresql_where=noticed)
    op.create_index("submissions_case", "submissions", ["case_number"])
    op.create_index("feedback_entries_feedback", "feedback_entries", ["feedback"])
