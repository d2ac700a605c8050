"""Adds an index by which cases that expire are found."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds an index of open cases."""
    where = sa.text("withdrawn_at IS NULL")
    op.create_index("cases_open", "cases", ["renewed_at"], sqlite_where=where, postgresql_where=where)
