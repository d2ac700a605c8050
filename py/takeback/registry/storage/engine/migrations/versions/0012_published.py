"""Adds the name under which everybody sees a platform, and when the operator published it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the columns; no existing platform is published, because nobody has asked it."""
    with op.batch_alter_table("platforms") as platforms:
        platforms.add_column(sa.Column("published_name", sa.String(60)))
        platforms.add_column(sa.Column("published_at", _BIG))
