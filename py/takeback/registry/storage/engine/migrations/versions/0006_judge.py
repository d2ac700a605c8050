"""Entries note who gave them their standing, where it is not the common one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the column; what has another standing so far was given it by the operator."""
    with op.batch_alter_table("entries") as entries:
        entries.add_column(sa.Column("judge", sa.String(10)))
    op.execute("UPDATE entries SET judge = 'operator' WHERE standing <> 'block'")
