import secrets
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import InvalidMessage
from takeback.lookup.messages import MAX_ID_CHARS
from takeback.lookup.service.sealed_ids import LIFE_SECONDS, MAX_ENTRIES, SealedIds
from takeback.protocol import Verdict
from tests.gate.feeds import entry_id

SECRET = bytes(32)
IDS = SealedIds(SECRET)
DECISION = "ab" * 16


@given(st.integers(0, 40))
def test_an_id_gives_back_what_it_is_about(count: int) -> None:
    """The strongest entries come back in their order; all ids have one length, and no two are alike."""
    entries = [entry_id(number) for number in range(count)]
    sealed = [IDS.seal("forum", DECISION, entries) for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert {len(one) for one in sealed} == {len(IDS.seal("forum", DECISION, []))}
    assert len(sealed[0]) <= MAX_ID_CHARS
    assert IDS.open("forum", sealed[0]) == (DECISION, tuple(entries[:MAX_ENTRIES]))
    assert not any(entry in sealed[0] for entry in entries)


@given(st.text(max_size=60) | st.binary(max_size=400).map(lambda data: urlsafe_b64encode(data).decode()))
def test_anything_else_is_refused(text: str) -> None:
    """What the service did not make is refused with our error, whatever it is."""
    with pytest.raises(InvalidMessage):
        IDS.open("forum", text)


@pytest.mark.parametrize("site", ["forum2", "foru", ""])
def test_an_id_is_bound_to_its_site(site: str) -> None:
    """Another site's id cannot be read, nor one of another service."""
    sealed = IDS.seal("forum", DECISION, [entry_id(1)])
    with pytest.raises(InvalidMessage):
        IDS.open(site, sealed)
    with pytest.raises(InvalidMessage):
        SealedIds(secrets.token_bytes(32)).open("forum", sealed)


def test_an_id_ends() -> None:
    """After 30 days an id is refused, and a second before it is read."""
    now = [1000.0]
    ids = SealedIds(SECRET, lambda: now[0])
    sealed = ids.seal("forum", DECISION, [])
    now[0] += LIFE_SECONDS - 1
    assert ids.open("forum", sealed).entries == ()
    now[0] += 2
    with pytest.raises(InvalidMessage):
        ids.open("forum", sealed)


def test_events_count_by_upload_or_by_entries() -> None:
    """Of the same entries `not_blocked` is one event; other verdicts are one for each upload; sites are kept apart."""
    first, second = (IDS.open("a", IDS.seal("a", name * 16, [entry_id(1)])) for name in ("ab", "cd"))
    assert IDS.event("a", first, Verdict.NOT_BLOCKED) == IDS.event("a", second, Verdict.NOT_BLOCKED)
    assert IDS.event("a", first, Verdict.NOT_BLOCKED) != IDS.event("b", second, Verdict.NOT_BLOCKED)
    assert IDS.event("a", first, Verdict.BLOCKED) != IDS.event("a", second, Verdict.BLOCKED)
