"""Adds pictures that are withdrawn one by one, delayed entries, and entry ids that differ by platform.

`first_ids` keeps the previous ids of entries, because gates that follow the feed know them.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAMES = {"fk": "%(table_name)s_%(column_0_name)s_fkey"}
"""PostgreSQL's names of foreign keys; SQLite's have no name unless one is given."""


def upgrade() -> None:
    """Migrates the first schema and its rows to the second."""
    _first_ids()
    _entries()
    _feed()
    _pictures()
    with op.batch_alter_table("registry") as registry:
        registry.add_column(sa.Column("entry", _BIG, nullable=False, server_default="0"))
    op.execute("UPDATE registry SET entry = head")


def _first_ids() -> None:
    op.create_table(
        "first_ids",
        sa.Column("entry", _BIG, primary_key=True, autoincrement=False),
        sa.Column("id", sa.LargeBinary, nullable=False, unique=True),
    )
    op.execute("INSERT INTO first_ids SELECT number, entry FROM entries")
    with op.batch_alter_table("platforms") as platforms:
        platforms.add_column(sa.Column("own_ids_after", _BIG, nullable=False, server_default="0"))
    op.execute("UPDATE platforms SET own_ids_after = (SELECT head FROM registry)")


def _entries() -> None:
    op.drop_index("entries_active", "entries")
    with op.batch_alter_table("entries") as entries:
        entries.drop_column("entry")
        entries.alter_column("variant", type_=sa.String(20), existing_type=sa.String(10), existing_nullable=False)
        entries.add_column(sa.Column("text", sa.LargeBinary))
        entries.add_column(sa.Column("kind", sa.String(10), nullable=False, server_default="image"))
        entries.add_column(sa.Column("ai_made", sa.Boolean, nullable=False, server_default=sa.false()))
        entries.add_column(sa.Column("age_band", sa.String(10), nullable=False, server_default="minor"))
        entries.add_column(sa.Column("standing", sa.String(10), nullable=False, server_default="block"))
        for name in ("added", "added_at", "removed", "removed_at", "due"):
            entries.add_column(sa.Column(name, _BIG))
    op.execute("UPDATE entries SET added = number")
    op.execute(
        "UPDATE entries SET added_at = (SELECT min(cases.received_at) FROM holdings JOIN cases "
        "ON cases.number = holdings.case_number WHERE holdings.entry = entries.number)"
    )
    op.execute(
        sa.text(
            "UPDATE entries SET removed = (SELECT feed.number FROM feed WHERE feed.entry = entries.number "
            "AND feed.action = 'remove'), removed_at = :now WHERE NOT active"
        ).bindparams(now=int(time.time()))
    )
    _partial_index("entries_active", ["value", "type"], "active", unique=True)
    _partial_index("entries_due", ["due"], "due IS NOT NULL")
    _partial_index("entries_removed", ["removed_at"], "removed_at IS NOT NULL")


def _partial_index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    table = name.split("_", maxsplit=1)[0]
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _feed() -> None:
    """Removes the reference from the feed to entries, since lines outlive their entries."""
    with op.batch_alter_table("feed", naming_convention=_NAMES) as feed:
        feed.drop_constraint("feed_entry_fkey", type_="foreignkey")
        feed.add_column(sa.Column("standing", sa.String(10)))


def _pictures() -> None:
    op.create_table(
        "pictures",
        sa.Column("case_number", _BIG, sa.ForeignKey("cases.number"), primary_key=True),
        sa.Column("position", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("received_at", _BIG, nullable=False),
        sa.Column("ended_at", _BIG),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO pictures SELECT DISTINCT holdings.case_number, holdings.picture, cases.received_at, "
        "cases.withdrawn_at FROM holdings JOIN cases ON cases.number = holdings.case_number"
    )
    with op.batch_alter_table("cases") as cases:
        cases.drop_column("pictures")
        cases.add_column(sa.Column("renewed_at", _BIG, nullable=False, server_default="0"))
        cases.add_column(sa.Column("settles_at", _BIG))
    op.execute("UPDATE cases SET renewed_at = received_at")
    _partial_index("cases_unsettled", ["settles_at"], "settles_at IS NOT NULL")
