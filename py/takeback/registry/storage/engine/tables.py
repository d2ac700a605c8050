"""The tables, as SQLAlchemy sees them. The migrations make them; a test compares the two.

registry           one row: the newest numbers of feed and entries, and the mark of the PIN key this database belongs to
cases              one row for each case, by its number; its last change will be published by `settles_at`
pictures           the pictures of each case, by position; polls at or after `polls_from` count for cases and pictures
entries            every entry, by its internal number; `added` and `removed` are its feed numbers, and `due` is the
                   time at which the feed publishes its state
first_ids          the ids of entries from the first release, when ids did not differ by platform
canaries           entries that only one platform sees, to trace a leaked list
holdings           which entries each picture of a case holds
feed               the numbered log of entries added, removed or changed, which outlives its entries; `chain` is a
                   line's link, and `leaf` is set once its entry is erased, so that the hash chain can be followed
feed_keys          every public key of the feed, each signed by its predecessor
submissions        idempotency: digests of the key and the message, and the case that the message made or changed
platforms          who may read the feed, the digest of their key, how far they have applied it (`cursor`), up to which
                   number they were sent it (`told`) and when, and, if they consented, the name that everybody sees
                   (`published_name`) and since when the operator has had that consent; of a look-up service
                   (`is_lookup`) also how many small sites it serves (`small_sites`), as it said last, and when that was
metering           the usage of each platform, by day, counted in days since 1970
feedback           a platform's verdict on one upload, with its entries in `feedback_entries`, and when the platform had
                   last been sent the feed
levels             the number of uploads a platform matched with each entry, by slot of time

Times are whole seconds since 1970 in UTC. Hex is stored as bytes. Only types that SQLite and PostgreSQL share are used.
"""

from typing import Any, Final, override

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

BigInt: Final = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits in both databases; as a primary key in SQLite it is the row id."""


class Hex(TypeDecorator[str]):
    """Lowercase hex in Python and bytes in the database, which halves the size of every index."""

    impl = LargeBinary
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    @override
    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else value.hex()


metadata: Final = MetaData()


def _partial(name: str, *columns: Column[Any], where: str, unique: bool = False) -> None:
    """An index of the rows that satisfy `where`. SQLite uses it only for queries with exactly the same condition."""
    on_sqlite = where.replace("active", "active = 1")  # its booleans are numbers
    Index(name, *columns, unique=unique, sqlite_where=text(on_sqlite), postgresql_where=text(where))


registry: Final = Table(
    "registry",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("head", BigInt, nullable=False),
    Column("pin_key", LargeBinary),
    Column("entry", BigInt, nullable=False),
    Column("chain", LargeBinary, nullable=False),
)

cases: Final = Table(
    "cases",
    metadata,
    Column("number", BigInt, primary_key=True, autoincrement=False),
    Column("pin", LargeBinary, nullable=False),
    Column("state", String(10), nullable=False),
    Column("received_at", BigInt, nullable=False),
    Column("withdrawn_at", BigInt),
    Column("feed_number", BigInt, nullable=False),
    Column("renewed_at", BigInt, nullable=False),
    Column("settles_at", BigInt),
    Column("polls_from", BigInt, nullable=False, server_default="0"),
)
_partial("cases_unsettled", cases.c.settles_at, where="settles_at IS NOT NULL")
_partial("cases_ended", cases.c.withdrawn_at, where="withdrawn_at IS NOT NULL")
_partial("cases_open", cases.c.renewed_at, where="withdrawn_at IS NULL")

pictures: Final = Table(
    "pictures",
    metadata,
    Column("case_number", ForeignKey(cases.c.number), primary_key=True),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    Column("received_at", BigInt, nullable=False),
    Column("ended_at", BigInt),
    Column("polls_from", BigInt),
    # In SQLite the table is then stored by its key, instead of by a row id with an index of the key beside it.
    sqlite_with_rowid=False,
)
_partial("pictures_ended", pictures.c.ended_at, where="ended_at IS NOT NULL")

entries: Final = Table(
    "entries",
    metadata,
    Column("number", BigInt, primary_key=True, autoincrement=False),
    Column("type", String(10), nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("quality", SmallInteger),
    Column("variant", String(20), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("text", LargeBinary),
    Column("kind", String(10), nullable=False),
    Column("ai_made", Boolean, nullable=False),
    Column("age_band", String(10), nullable=False),
    Column("standing", String(10), nullable=False),
    Column("added", BigInt),
    Column("added_at", BigInt),
    Column("removed", BigInt),
    Column("removed_at", BigInt),
    Column("due", BigInt),
    Column("salt", LargeBinary, nullable=False),
    Column("judge", String(10)),
    Column("judged_at", BigInt),
)
"""`value` is the hash, or the SHA-256 of the longer value in `text`; `judge` set the status, at `judged_at`."""
# Rule 4 of PROTOCOL.md, kept by the database too: no two active entries have the same signal.
_partial("entries_active", entries.c.value, entries.c.type, where="active", unique=True)
_partial("entries_noticed", entries.c.number, where="active AND standing <> 'block'")
_partial("entries_due", entries.c.due, where="due IS NOT NULL")
_partial("entries_removed", entries.c.removed_at, where="removed_at IS NOT NULL")

first_ids: Final = Table(
    "first_ids",
    metadata,
    Column("entry", BigInt, primary_key=True, autoincrement=False),
    Column("id", Hex, nullable=False, unique=True),
)

canaries: Final = Table(
    "canaries",
    metadata,
    Column("entry", ForeignKey(entries.c.number), primary_key=True, autoincrement=False),
    Column("platform", ForeignKey("platforms.id"), nullable=False),
    Column("made_at", BigInt, nullable=False),
    Column("ended_at", BigInt),
)

holdings: Final = Table(
    "holdings",
    metadata,
    Column("case_number", ForeignKey(cases.c.number), primary_key=True),
    Column("picture", SmallInteger, primary_key=True, autoincrement=False),
    Column("entry", ForeignKey(entries.c.number), primary_key=True),
    Index("holdings_entry", "entry"),
    sqlite_with_rowid=False,
)

feed: Final = Table(
    "feed",
    metadata,
    Column("number", BigInt, primary_key=True, autoincrement=False),
    Column("action", String(10), nullable=False),
    Column("entry", BigInt, nullable=False),
    Column("standing", String(10)),
    Column("chain", LargeBinary, nullable=False),
    Column("leaf", LargeBinary),
)

feed_keys: Final = Table(
    "feed_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Hex, nullable=False, unique=True),
    Column("signature", Hex),
)

submissions: Final = Table(
    "submissions",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("message", LargeBinary, nullable=False),
    Column("case_number", ForeignKey(cases.c.number), nullable=False),
    Index("submissions_case", "case_number"),
)

platforms: Final = Table(
    "platforms",
    metadata,
    Column("id", BigInt, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("key_id", Hex, nullable=False, unique=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", BigInt, nullable=False),
    Column("cursor", BigInt, nullable=False),
    Column("seen_at", BigInt),
    Column("revoked_at", BigInt),
    Column("own_ids_after", BigInt, nullable=False),
    Column("told", BigInt, nullable=False, server_default="0"),
    Column("told_at", BigInt, nullable=False, server_default="0"),
    Column("published_name", String(60)),
    Column("published_at", BigInt),
    Column("is_lookup", Boolean, nullable=False, server_default=false()),
    Column("small_sites", Integer, nullable=False, server_default="0"),
    Column("small_sites_at", BigInt),
)

metering: Final = Table(
    "metering",
    metadata,
    Column("platform", ForeignKey(platforms.c.id), primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("requests", BigInt, nullable=False),
    Column("lines", BigInt, nullable=False),
    sqlite_with_rowid=False,
)

feedback: Final = Table(
    "feedback",
    metadata,
    Column("id", BigInt, primary_key=True),
    Column("platform", ForeignKey(platforms.c.id), nullable=False),
    Column("event", Hex, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("received_at", BigInt, nullable=False),
    Column("told_at", BigInt, nullable=False, server_default="0"),
    UniqueConstraint("platform", "event", name="feedback_event"),
)

feedback_entries: Final = Table(
    "feedback_entries",
    metadata,
    Column("entry", ForeignKey(entries.c.number), primary_key=True),
    Column("feedback", ForeignKey(feedback.c.id), primary_key=True),
    Index("feedback_entries_feedback", "feedback"),
    sqlite_with_rowid=False,
)

levels: Final = Table(
    "levels",
    metadata,
    Column("entry", ForeignKey(entries.c.number), primary_key=True),
    Column("platform", ForeignKey(platforms.c.id), primary_key=True),
    Column("slot", BigInt, primary_key=True, autoincrement=False),
    Column("matches", Integer, nullable=False),
    Index("levels_slot", "slot"),
    sqlite_with_rowid=False,
)
