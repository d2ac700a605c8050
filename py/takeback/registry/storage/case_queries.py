"""The SQL of cases and their pictures. Each function runs in the caller's transaction."""

import secrets
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, or_, select, update
from sqlalchemy import case as case_of

from takeback.protocol import CaseState, PictureStatus, Verdict
from takeback.registry.rules.cases import Case
from takeback.registry.storage import feed_queries
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t
from takeback.times import moment

_CASE: Final = select(t.cases).where(t.cases.c.number == bindparam("case"))
_OPEN: Final = (CaseState.RECEIVED, CaseState.ACTIVE)
# Only an open case, so that a repeated withdrawal does not move its end.
_END_CASE: Final = (
    update(t.cases)
    .where(t.cases.c.number == bindparam("case"), t.cases.c.state.in_(_OPEN))
    .values(state=bindparam("ended"), withdrawn_at=bindparam("now"))
)
_CASE_CHANGED: Final = update(t.cases).where(t.cases.c.number == bindparam("case")).values(settles_at=bindparam("at"))
_CASE_RENEWED: Final = update(t.cases).where(t.cases.c.number == bindparam("case")).values(renewed_at=bindparam("now"))
_CASES_SETTLED: Final = (
    update(t.cases)
    .where(t.cases.c.settles_at <= bindparam("now"))
    .values(
        settles_at=None,
        polls_from=bindparam("polled"),
        feed_number=bindparam("head"),
        state=case_of((t.cases.c.state == CaseState.RECEIVED, CaseState.ACTIVE), else_=t.cases.c.state),
    )
)
_SETTLING: Final = select(t.cases.c.number).where(t.cases.c.settles_at <= bindparam("now"))
_PICTURES_SETTLED: Final = (
    update(t.pictures).where(t.pictures.c.polls_from.is_(None)).values(polls_from=bindparam("polled"))
)
_PICTURES: Final = (
    select(t.pictures).where(t.pictures.c.case_number == bindparam("case")).order_by(t.pictures.c.position)
)
_END_PICTURES: Final = (
    update(t.pictures)
    .where(t.pictures.c.case_number == bindparam("case"), t.pictures.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"))
)
_LEFT: Final = (
    select(t.holdings.c.entry)
    .distinct()
    .join(t.entries, t.entries.c.number == t.holdings.c.entry)
    .where(t.holdings.c.case_number == bindparam("case"), t.entries.c.active, t.entries.c.due.is_(None))
)


def _told(verdict: Verdict, what: ColumnElement[Any]) -> ColumnElement[Any]:
    return case_of((t.feedback.c.verdict == verdict, what))


_SEEN: Final = (
    select(
        t.holdings.c.picture,
        func.count(_told(Verdict.BLOCKED, t.feedback.c.id).distinct()).label("blocked"),
        func.count(_told(Verdict.BLOCKED, t.feedback.c.platform).distinct()).label("platforms"),
        func.min(_told(Verdict.BLOCKED, t.feedback.c.received_at)).label("first"),
        func.max(_told(Verdict.BLOCKED, t.feedback.c.received_at)).label("last"),
        func.count(_told(Verdict.PENDING_REVIEW, t.feedback.c.id).distinct()).label("pending_review"),
        func.count(_told(Verdict.NOT_BLOCKED, t.feedback.c.id).distinct()).label("not_blocked"),
    )
    .join(t.feedback_entries, t.feedback_entries.c.entry == t.holdings.c.entry)
    .join(t.feedback, t.feedback.c.id == t.feedback_entries.c.feedback)
    .join(
        t.pictures,
        and_(t.pictures.c.case_number == t.holdings.c.case_number, t.pictures.c.position == t.holdings.c.picture),
    )
    .where(
        t.holdings.c.case_number == bindparam("case"),
        # An entry may be older than this picture and outlive it; feedback from outside its time is not this person's.
        t.feedback.c.received_at >= t.pictures.c.polls_from + bindparam("quiet"),
        or_(t.pictures.c.ended_at.is_(None), t.feedback.c.received_at <= t.pictures.c.ended_at),
    )
    .group_by(t.holdings.c.picture)
)
_SEEN_ONCE_TOLD: Final = _SEEN.where(t.feedback.c.told_at >= t.pictures.c.polls_from)
"""Of platforms that polled since the picture was published: this hides whether it was in another case before."""


def submissions(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, tuple[bytes, str]]:
    """The digest of the message and the number of the case, by idempotency key, of those keys that are stored."""
    rows = bulk_write.among(connection, select(t.submissions), t.submissions.c.key, keys)
    return {row.key: (row.message, _shown(row.case_number)) for row in rows}


def settle_cases(connection: Connection, now: int, polls_from: int) -> None:
    """Marks the due changes of cases as published; platforms that poll at or after `polls_from` have received them."""
    settling = connection.execute(_SETTLING, {"now": now}).scalars().all()
    bulk_write.among(connection, _PICTURES_SETTLED, t.pictures.c.case_number, settling, polled=polls_from)
    connection.execute(_CASES_SETTLED, {"now": now, "polled": polls_from, "head": feed_queries.head(connection)})


def free_numbers(connection: Connection, n: int) -> list[str]:
    """Returns `n` random case numbers that are free."""
    free: set[int] = set()
    while len(free) < n:
        wanted = {secrets.randbelow(10**10) for _ in range(n - len(free))}
        taken = bulk_write.among(connection, select(t.cases.c.number), t.cases.c.number, wanted)
        free |= wanted.difference(row.number for row in taken)
    return [_shown(number) for number in free]


def keep_cases(connection: Connection, cases: Sequence[Case]) -> None:
    """Writes new cases."""
    bulk_write.insert(connection, t.cases, [_case_row(case) for case in cases])


def keep_pictures(
    connection: Connection,
    pictures: Sequence[tuple[str, int, Sequence[int]]],
    now: int,
    polls_from: int | None = None,
) -> None:
    """Writes new pictures, each as its case's number, its position, and the entries that it holds.

    `polls_from` is set only for pictures that are in the feed already.
    """
    bulk_write.insert(
        connection,
        t.pictures,
        [
            {
                "case_number": int(number),
                "position": position,
                "received_at": now,
                "ended_at": None,
                "polls_from": polls_from,
            }
            for number, position, _ in pictures
        ],
    )
    bulk_write.insert(
        connection,
        t.holdings,
        [
            {"case_number": int(number), "picture": position, "entry": entry}
            for number, position, entries in pictures
            for entry in entries
        ],
    )


def keep_submissions(connection: Connection, known: Sequence[tuple[bytes, bytes, str]]) -> None:
    """Writes, for each idempotency key, the message's digest and the number of its case."""
    new = [{"key": key, "message": digest, "case_number": int(number)} for key, digest, number in known]
    bulk_write.insert(connection, t.submissions, new)


def picture_count(connection: Connection, number: str) -> int:
    """The number of pictures of a case, including withdrawn ones."""
    return len(connection.execute(_PICTURES, {"case": int(number)}).all())


def end_case(connection: Connection, number: str, state: CaseState, now: int) -> bool:
    """Ends an open case; returns whether it was open."""
    return connection.execute(_END_CASE, {"case": int(number), "ended": state, "now": now}).rowcount > 0


def end_pictures(connection: Connection, number: str, positions: Collection[int] | None, now: int) -> list[int]:
    """Ends the pictures at `positions`, or all if `None`; returns the active entries they held that are not yet due."""
    of_case = int(number)
    if positions is None:
        connection.execute(_END_PICTURES, {"case": of_case, "now": now})
        return list(connection.execute(_LEFT, {"case": of_case}).scalars())
    bulk_write.among(connection, _END_PICTURES, t.pictures.c.position, positions, case=of_case, now=now)
    left = bulk_write.among(connection, _LEFT, t.holdings.c.picture, positions, case=of_case)
    return list({row.entry for row in left})


def has_pictures(connection: Connection, number: str) -> bool:
    """Whether a case has pictures that were not withdrawn."""
    return any(row.ended_at is None for row in connection.execute(_PICTURES, {"case": int(number)}))


def case_changed(connection: Connection, number: str, settles_at: int) -> None:
    """Stores when the case's last change is published."""
    connection.execute(_CASE_CHANGED, {"case": int(number), "at": settles_at})


def case_renewed(connection: Connection, number: str, now: int) -> None:
    """Stores that the case received pictures."""
    connection.execute(_CASE_RENEWED, {"case": int(number), "now": now})


def case(connection: Connection, number: str) -> Case | None:
    """The case with this number, or `None`."""
    row = connection.execute(_CASE, {"case": int(number)}).one_or_none()
    if row is None:
        return None
    return Case(
        number,
        row.pin,
        CaseState(row.state),
        row.received_at,
        row.renewed_at,
        row.withdrawn_at,
        row.feed_number,
        row.settles_at,
        row.polls_from,
    )


def pictures(connection: Connection, number: str, quiet: int) -> list[PictureStatus]:
    """The statuses of a case's pictures, without feedback from their first `quiet` seconds in the feed."""
    of_case = {"case": int(number)}
    seen_by = _SEEN_ONCE_TOLD if quiet else _SEEN
    seen = {row.picture: row for row in connection.execute(seen_by, of_case | {"quiet": quiet})}
    return [_picture(row.ended_at, seen.get(row.position)) for row in connection.execute(_PICTURES, of_case)]


def _picture(ended_at: int | None, seen: Row[*tuple[Any, ...]] | None) -> PictureStatus:
    withdrawn_at = None if ended_at is None else moment(ended_at)
    if seen is None:
        return PictureStatus(0, 0, None, None, withdrawn_at=withdrawn_at)
    return PictureStatus(
        seen.blocked,
        seen.platforms,
        None if seen.first is None else moment(seen.first),
        None if seen.last is None else moment(seen.last),
        seen.pending_review,
        seen.not_blocked,
        withdrawn_at,
    )


def _case_row(case: Case) -> dict[str, object]:
    return {
        "number": int(case.number),
        "pin": case.pin,
        "state": case.state,
        "received_at": case.received_at,
        "withdrawn_at": case.withdrawn_at,
        "feed_number": case.feed_number,
        "renewed_at": case.renewed_at,
        "settles_at": case.settles_at,
        "polls_from": case.polls_from,
    }


def _shown(number: int) -> str:
    return f"{number:010d}"
