"""Adds which platforms are look-up services, and how many small sites each of them serves."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the columns; no existing platform is a look-up service, because the operator has marked none."""
    with op.batch_alter_table("platforms") as platforms:
        platforms.add_column(sa.Column("is_lookup", sa.Boolean, nullable=False, server_default=sa.false()))
        platforms.add_column(sa.Column("small_sites", sa.Integer, nullable=False, server_default="0"))
        platforms.add_column(sa.Column("small_sites_at", _BIG))
