"""Adds canaries: entries that only one platform sees."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "canaries",
        sa.Column("entry", _BIG, sa.ForeignKey("entries.number"), primary_key=True, autoincrement=False),
        sa.Column("platform", _BIG, sa.ForeignKey("platforms.id"), nullable=False),
        sa.Column("made_at", _BIG, nullable=False),
        sa.Column("ended_at", _BIG),
    )
