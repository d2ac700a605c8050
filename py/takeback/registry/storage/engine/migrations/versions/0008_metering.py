"""Adds the usage of each platform, by day."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "metering",
        sa.Column("platform", _BIG, sa.ForeignKey("platforms.id"), primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("requests", _BIG, nullable=False),
        sa.Column("lines", _BIG, nullable=False),
        sqlite_with_rowid=False,
    )
