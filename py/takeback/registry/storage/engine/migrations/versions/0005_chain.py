"""Adds the hash chain: a salt for every entry and a link for every line, including existing ones."""

import secrets

import sqlalchemy as sa
from alembic import op

from takeback import chain
from takeback.protocol import FeedAction, FeedEntry
from takeback.registry.storage import row_mapping

revision = "0005"
down_revision = "0004"

BATCH_LINES = 5000
"""Lines that are read in one query."""


def upgrade() -> None:
    """Adds the columns, and fills them line by line."""
    with op.batch_alter_table("entries") as entries:
        entries.add_column(sa.Column("salt", sa.LargeBinary))
    with op.batch_alter_table("feed") as feed:
        feed.add_column(sa.Column("chain", sa.LargeBinary))
        feed.add_column(sa.Column("leaf", sa.LargeBinary))
    with op.batch_alter_table("registry") as registry:
        registry.add_column(sa.Column("chain", sa.LargeBinary))
    op.create_table(
        "feed_keys",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("signature", sa.LargeBinary),
    )
    connection = op.get_bind()
    _salt(connection)
    connection.execute(sa.text("UPDATE registry SET chain = :chain"), {"chain": _fill(connection)})
    with op.batch_alter_table("feed") as feed:
        feed.alter_column("chain", existing_type=sa.LargeBinary, nullable=False)
    with op.batch_alter_table("registry") as registry:
        registry.alter_column("chain", existing_type=sa.LargeBinary, nullable=False)
    with op.batch_alter_table("entries") as entries:
        entries.alter_column("salt", existing_type=sa.LargeBinary, nullable=False)


def _salt(connection: sa.Connection) -> None:
    numbers = connection.execute(sa.text("SELECT number FROM entries")).scalars().all()
    if numbers:
        rows = [{"one": number, "salt": secrets.token_bytes(16)} for number in numbers]
        connection.execute(sa.text("UPDATE entries SET salt = :salt WHERE number = :one"), rows)


def _fill(connection: sa.Connection) -> bytes:
    """Gives every line its link; returns the last one."""
    now, after = chain.FIRST_LINK, 0
    while rows := connection.execute(sa.text(_LINES), {"after": after, "limit": BATCH_LINES}).all():
        found = []
        for row in rows:
            # An erased signal gets a random leaf, which nobody can verify: its line had no leaf before this migration.
            gone = row.action == FeedAction.ADD and row.type is None
            leaf = secrets.token_bytes(32) if gone else chain.leaf(_said(row), row.added or 0)
            now = chain.link(now, leaf)
            found.append({"one": row.number, "chain": now, "leaf": leaf if gone else None})
            after = row.number
        connection.execute(sa.text("UPDATE feed SET chain = :chain, leaf = :leaf WHERE number = :one"), found)
    return now


def _said(row: row_mapping.AnyRow) -> FeedEntry:
    return row_mapping.new_line(row.number, FeedAction(row.action), row.standing, row)


_LINES = """
SELECT feed.number, feed.action, feed.standing, NULL AS leaf, entries.added, entries.type, entries.value, entries.text,
  entries.quality, entries.variant, entries.kind, entries.ai_made, entries.age_band, entries.added_at, entries.salt
FROM feed LEFT JOIN entries ON entries.number = feed.entry
WHERE feed.number > :after ORDER BY feed.number LIMIT :limit
"""
