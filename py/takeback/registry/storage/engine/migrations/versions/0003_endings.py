"""What has ended is found without looking at everything, so that it can be erased in time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds two indexes of what has ended."""
    for name, table, column in (("cases_ended", "cases", "withdrawn_at"), ("pictures_ended", "pictures", "ended_at")):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
