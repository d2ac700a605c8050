"""`/operator`: what `takeback registry status` and `entries` show, as a plain page that requires a key.

The page only reads. `takeback registry operator-key` makes the key, and a file beside the other keys has its digest.
"""

import asyncio
import hmac
from collections.abc import Callable, Sequence
from hashlib import sha256
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Final

from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from sqlalchemy import Engine

from takeback.protocol import EntryStatus
from takeback.registry.http import docs
from takeback.registry.http.context import Ask, basic_password
from takeback.registry.storage.status_queries import (
    CASE_COLUMNS,
    ENTRY_COLUMNS,
    PLATFORM_COLUMNS,
    REPORT_DAYS,
    CaseSize,
    EntryOverview,
    Overview,
    in_words,
    largest_cases,
    list_entries,
    overview,
)
from takeback.times import moment

PATH: Final = "/operator"
MAX_ENTRIES: Final = 100
"""Entries that the page lists, at most."""
MAX_CASES: Final = 10
"""Cases that the page lists, at most."""
_BAR_WIDTH, _HEIGHT = 20, 90
"""The width of a bar and the height of the plot, in pixels."""


def digest(key: str) -> str:
    """The stored form of the key."""
    # No slow hash, because the key is 24 random bytes and cannot be guessed.
    return sha256(key.encode()).hexdigest()


def operator_page(engine: Engine, kept: Path, now: Callable[[], float]) -> HTTPRouteHandler:
    """Makes the route over `engine`; the file `kept` has the key's digest, read at each request."""

    @get(PATH)
    async def operator(request: Ask) -> Response[bytes]:
        """The page, for a request with the key as the password of HTTP Basic (RFC 7617).

        Raises `HTTPException` with status 404 if there is no key.
        """
        wanted = await asyncio.to_thread(_read, kept)
        if wanted is None:
            raise HTTPException(status_code=HTTPStatus.NOT_FOUND)
        if not hmac.compare_digest(digest(basic_password(request)), wanted):
            asks = {"WWW-Authenticate": 'Basic realm="Takeback operator", charset="UTF-8"'}
            told = b"The operator's key is the password. To make one, run: takeback registry operator-key\n"
            return Response(told, status_code=HTTPStatus.UNAUTHORIZED, headers=asks, media_type="text/plain")
        return Response(await asyncio.to_thread(_page, engine, int(now())), media_type="text/html")

    return operator


def _read(kept: Path) -> str | None:
    try:
        return kept.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _page(engine: Engine, now: int) -> bytes:
    with engine.begin() as connection:
        found = overview(connection, now)
        entries = list_entries(connection, [EntryStatus.REVIEW, EntryStatus.PAUSED], MAX_ENTRIES)
        largest = largest_cases(connection, MAX_CASES)
    body = "".join(
        [
            "<h1>Takeback registry</h1>",
            f"<p>Counts at {moment(now)}. This page shows no picture, hash, case number or person.</p>",
            _table(
                "Totals", ("", "How many"),
                [("Lines of the feed", f"{found.head:,}"), ("Cases", in_words(found.cases)),
                 ("Entries", in_words(found.entries)), ("Entries that match too many uploads", f"{found.floods:,}")],
            ),
            f"<h2>The last {REPORT_DAYS} days</h2>",
            _plot("New cases", found.new_cases),
            _plot("Blocked uploads", found.blocks),
            "<h2>Platforms</h2>",
            _platforms(found),
            "<h2>Entries that need attention</h2>",
            _entries(entries),
            "<h2>Cases with the most entries</h2>",
            _cases(largest),
        ]
    )  # fmt: skip
    return docs.html(body)


def _platforms(found: Overview) -> str:
    none = "<p>No platforms yet. Add one: <code>takeback platform add NAME</code></p>"
    return _table("Platforms", PLATFORM_COLUMNS, [one.cells() for one in found.platforms]) if found.platforms else none


def _entries(entries: Sequence[EntryOverview]) -> str:
    how = "<p>Change one with <code>takeback registry pause ENTRY</code> or <code>resume ENTRY</code>.</p>"
    shown = _table("Entries", ENTRY_COLUMNS, [one.cells() for one in entries]) + how
    return shown if entries else "<p>None: every entry blocks.</p>"


def _cases(largest: Sequence[CaseSize]) -> str:
    how = (
        "<p>Their numbers: <code>takeback registry case list</code>. End one: <code>registry case end CASE</code>.</p>"
    )
    shown = _table("Cases", CASE_COLUMNS, [one.cells() for one in largest]) + how
    return shown if largest else "<p>No open cases.</p>"


def _table(name: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    region = f'<div class="wide" tabindex="0" role="region" aria-label="{name}">'
    return f"{region}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _plot(title: str, counts: Sequence[int]) -> str:
    """A plot with a bar for each day, whose count appears on hover and is read out by screen readers."""
    most = max(*counts, 1)
    bars = "".join(
        f'<rect x="{place * _BAR_WIDTH + 2}" y="{_HEIGHT - tall}" width="{_BAR_WIDTH - 4}" height="{tall}">'
        f"<title>{_day(len(counts) - 1 - place)}: {count:,}</title></rect>"
        for place, count in enumerate(counts)
        for tall in [-(-count * _HEIGHT // most)]
    )
    told = f"{title}: {sum(counts):,}, at most {max(counts):,} a day"
    size = f'viewBox="0 0 {len(counts) * _BAR_WIDTH} {_HEIGHT}" preserveAspectRatio="none"'
    return (
        f'<figure><figcaption>{told}</figcaption><svg role="img" aria-label="{told}" {size} fill="currentColor">'
        f"{bars}</svg></figure>"
    )


def _day(ago: int) -> str:
    return {0: "today", 1: "yesterday"}.get(ago, f"{ago} days ago")
