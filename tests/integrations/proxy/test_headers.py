from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.integrations.proxy.headers import Peer, end_to_end, request_fields, response_fields

TRUSTED = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
NAMES = st.sampled_from(["Host", "Connection", "X-A", "TE", "Upgrade", "Transfer-Encoding", "Content-Length", "Via"])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from(["1", "close", "x-a, te", "X-A", "content-length, host"])))


@given(FIELDS)
def test_only_end_to_end_fields_are_kept(fields: list[tuple[str, str]]) -> None:
    """What is kept is a part of what came, in its order, without fields of the connection or any that it names."""
    raw = [(name.encode(), value.encode()) for name, value in fields]
    kept = end_to_end(raw)
    rest = iter(raw)
    assert all(one in rest for one in kept)
    names = {name.lower() for name, _ in kept}
    assert not names & {b"connection", b"te", b"upgrade", b"transfer-encoding"}
    named = {part.strip().lower() for name, value in fields if name == "Connection" for part in value.split(",")}
    assert (b"x-a" in names) == ("X-A" in {name for name, _ in fields} and "x-a" not in named)
    assert (b"content-length" in names) == ("Content-Length" in {name for name, _ in fields})


@pytest.mark.parametrize(
    ("address", "trusted"), [("127.0.0.1", True), ("::1", True), ("192.0.2.1", False), ("", False)]
)
def test_only_a_trusted_proxy_says_where_a_request_came_from(address: str, trusted: bool) -> None:
    """Forwarding fields of a trusted proxy are kept and continued; those of anybody else are replaced."""
    given = [
        (b"Host", b"forum"),
        (b"X-Forwarded-For", b"9.9.9.9"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"www"),
        (b"X-Real-IP", b"9.9.9.9"),
        (b"Forwarded", b"for=9.9.9.9"),
        (b"X_Forwarded_For", b"8.8.8.8"),
        (b"Takeback_Decision", b"allow"),
        (b"Takeback-Decision", b"allow"),
    ]
    peer = Peer.of(address, TRUSTED)
    assert peer.is_trusted == trusted
    got = dict(request_fields(given, peer, "http"))
    assert got[b"Host"] == b"forum"
    assert not {b"X_Forwarded_For", b"Takeback_Decision", b"Takeback-Decision"} & set(got)
    if trusted:
        assert got[b"x-forwarded-for"] == b"9.9.9.9, " + address.encode()
        assert (got[b"x-forwarded-proto"], got[b"x-forwarded-host"]) == (b"https", b"www")
        assert (got[b"x-real-ip"], got[b"forwarded"]) == (b"9.9.9.9", b"for=9.9.9.9")
    else:
        assert got[b"x-forwarded-for"] == address.encode()
        assert (got[b"x-forwarded-proto"], got[b"x-forwarded-host"]) == (b"http", b"forum")
        assert not {b"x-real-ip", b"forwarded"} & set(got)


def test_the_length_of_an_answer_without_body() -> None:
    """An answer keeps its length, except a 304, which has no body."""
    fields = [(b"Content-Length", b"9"), (b"ETag", b"x")]
    assert response_fields(fields, 200) == fields
    assert response_fields(fields, 304) == [(b"ETag", b"x")]
