"""Adds indexes by which ended cases and removed entries are found, so that they can be erased."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the two indexes."""
    for name, table, column in (("cases_ended", "cases", "withdrawn_at"), ("pictures_ended", "pictures", "ended_at")):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
