"""Adds what each platform was sent and when, from when on its polls count for a case, and levels of matches."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the columns and the table; existing counts stay."""
    with op.batch_alter_table("platforms") as platforms:
        platforms.add_column(sa.Column("told", _BIG, nullable=False, server_default="0"))
        platforms.add_column(sa.Column("told_at", _BIG, nullable=False, server_default="0"))
    with op.batch_alter_table("cases") as cases:
        cases.add_column(sa.Column("polls_from", _BIG, nullable=False, server_default="0"))
    with op.batch_alter_table("pictures") as pictures:
        pictures.add_column(sa.Column("polls_from", _BIG))
    with op.batch_alter_table("feedback") as feedback:
        feedback.add_column(sa.Column("told_at", _BIG, nullable=False, server_default="0"))
    with op.batch_alter_table("entries") as entries:
        entries.add_column(sa.Column("judged_at", _BIG))
    op.execute('UPDATE platforms SET told = "cursor", told_at = coalesce(seen_at, 0)')
    op.execute(
        "UPDATE pictures SET polls_from = received_at WHERE case_number IN "
        "(SELECT number FROM cases WHERE settles_at IS NULL)"
    )
    op.execute("UPDATE feedback SET told_at = received_at")
    op.create_table(
        "levels",
        sa.Column("entry", _BIG, sa.ForeignKey("entries.number"), primary_key=True, autoincrement=False),
        sa.Column("platform", _BIG, sa.ForeignKey("platforms.id"), primary_key=True, autoincrement=False),
        sa.Column("slot", _BIG, primary_key=True, autoincrement=False),
        sa.Column("matches", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("levels_slot", "levels", ["slot"])
