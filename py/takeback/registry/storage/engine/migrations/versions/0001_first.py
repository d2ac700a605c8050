"""The first schema: cases, entries, the feed, platforms, feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes every table, and the one row that holds the feed's head."""
    registry = op.create_table(
        "registry",
        sa.Column("id", sa.SmallInteger, primary_key=True),
        sa.Column("head", _BIG, nullable=False),
        sa.Column("pin_key", sa.LargeBinary),
    )
    op.bulk_insert(registry, [{"id": 1, "head": 0}])
    _cases_and_feed()
    _platforms_and_feedback()


def _cases_and_feed() -> None:
    op.create_table(
        "cases",
        sa.Column("number", _BIG, primary_key=True, autoincrement=False),
        sa.Column("pin", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("received_at", _BIG, nullable=False),
        sa.Column("withdrawn_at", _BIG),
        sa.Column("pictures", sa.SmallInteger, nullable=False),
        sa.Column("feed_number", _BIG, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column("number", _BIG, primary_key=True, autoincrement=False),
        sa.Column("entry", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("type", sa.String(10), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("quality", sa.SmallInteger),
        sa.Column("variant", sa.String(10), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    active = sa.text("active")
    op.create_index(
        "entries_active", "entries", ["value", "type"], unique=True, sqlite_where=active, postgresql_where=active
    )
    op.create_table(
        "holdings",
        sa.Column("case_number", _BIG, sa.ForeignKey("cases.number"), primary_key=True),
        sa.Column("picture", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("entry", _BIG, sa.ForeignKey("entries.number"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("holdings_entry", "holdings", ["entry"])
    op.create_table(
        "feed",
        sa.Column("number", _BIG, primary_key=True, autoincrement=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("entry", _BIG, sa.ForeignKey("entries.number"), nullable=False),
    )
    op.create_table(
        "submissions",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("case_number", _BIG, sa.ForeignKey("cases.number"), nullable=False),
    )


def _platforms_and_feedback() -> None:
    op.create_table(
        "platforms",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("key_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("cursor", _BIG, nullable=False),
        sa.Column("seen_at", _BIG),
        sa.Column("revoked_at", _BIG),
    )
    op.create_table(
        "feedback",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("platform", _BIG, sa.ForeignKey("platforms.id"), nullable=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("received_at", _BIG, nullable=False),
        sa.UniqueConstraint("platform", "event", name="feedback_event"),
    )
    op.create_table(
        "feedback_entries",
        sa.Column("entry", _BIG, sa.ForeignKey("entries.number"), primary_key=True),
        sa.Column("feedback", _BIG, sa.ForeignKey("feedback.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
