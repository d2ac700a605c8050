"""Adds who set an entry's status, if it is not the default."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the column; other statuses than the default were set by the operator so far."""
    with op.batch_alter_table("entries") as entries:
        entries.add_column(sa.Column("judge", sa.String(10)))
    op.execute("UPDATE entries SET judge = 'operator' WHERE standing <> 'block'")
