import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.integrations.proxy.routes import METHODS, CheckedRoute, RouteKind, plain_path

NAMES = st.text(st.sampled_from(string.ascii_lowercase + string.digits + "-_.~"), min_size=1, max_size=8).filter(
    lambda name: name not in {".", ".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=5)


@given(st.sampled_from(METHODS), PATHS, st.lists(NAMES, min_size=1, max_size=3))
def test_a_route_is_read_as_it_is_written(method: str, parts: list[str], fields: list[str]) -> None:
    """What a route says of itself is read as the same route, and its own requests are its own."""
    path = "/" + "/".join(parts)
    routes = [CheckedRoute.parse(f"{method.lower()}   {path} {how}") for how in ("raw", f"field={','.join(fields)}")]
    for route in routes:
        assert CheckedRoute.parse(str(route)) == route
        assert route.takes(frozenset({method}), plain_path(path.encode()))
        assert not route.takes(frozenset({"GET"}), plain_path(path.encode()))
        assert not route.takes(frozenset({method}), plain_path(f"{path}/x".encode()))
    assert all(routes[1].wants(name) for name in fields)


@given(PATHS, st.data())
def test_no_spelling_of_a_path_gets_past_its_route(parts: list[str], data: st.DataObject) -> None:
    """Escapes, capitals, slashes, dots and parameters do not hide a path that an application may take for the same."""
    route = CheckedRoute.parse(f"POST /{'/'.join(parts)} raw")
    spelt = ""
    for part in parts:
        before = data.draw(st.sampled_from(["/", "//", "/./", "/x/../", "/%2e/", "\\", "/x/%2E%2e/"]))
        escaped = "".join(f"%{ord(letter):02x}" for letter in part)
        name = data.draw(st.sampled_from([part, part.upper(), escaped]))
        spelt += before + name + data.draw(st.sampled_from(["", ";x=1", "%3Bx"]))
    spelt += data.draw(st.sampled_from(["", "/", "//", "/."]))
    assert route.takes(frozenset({"POST"}), plain_path(spelt.encode()))


@given(st.text())
def test_any_text_is_a_route_or_refused(text: str) -> None:
    """Any text is either a route or refused with our error, and so is any path compared."""
    try:
        route = CheckedRoute.parse(text)
    except SettingsError:
        return
    route.takes(frozenset({"POST"}), plain_path(quote(text).encode()))


@pytest.mark.parametrize(
    ("path", "taken", "not_taken"),
    [
        ("/api/v*/media", ["/api/v1/media", "/api/v2/media"], ["/api/v1/x/media", "/api/v1/mediax"]),
        ("/files/**", ["/files/a", "/files/a/b"], ["/files", "/file/a"]),
        ("/a.b", ["/a.b"], ["/axb"]),
    ],
)
def test_stars(path: str, taken: list[str], not_taken: list[str]) -> None:
    """One star is anything but a slash, two are anything, and no other letter is special."""
    route = CheckedRoute.parse(f"PUT {path} raw")
    assert all(route.takes_path(one) for one in taken)
    assert not any(route.takes_path(one) for one in not_taken)


def test_fields() -> None:
    """Fields are named one by one or with a star."""
    route = CheckedRoute.parse("POST /x field=file,photo[*]")
    assert route.kind is RouteKind.FORM
    assert [name for name in ("file", "photo[]", "photo[1]", "files", "x") if route.wants(name)] == [
        "file",
        "photo[]",
        "photo[1]",
    ]
    assert CheckedRoute.parse("POST /x field=*").wants("anything")
    assert all(CheckedRoute.parse("POST /x field=a_b").wants(name) for name in ("A_B", " a.b", "a b", "a[b", "a_b[0]"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("POST /x", "malformed"),
        ("POST /x field=", "malformed"),
        ("POST /x field=a,,b", "malformed"),
        ("POST /x form", "malformed"),
        ("GET /x raw", "must be POST, PUT, PATCH"),
        ("POST x raw", "begins with /"),
        ("POST /x?a=1 raw", "without a query"),
        ("PUT /files tus", "where tus uploads are created"),
        ("POST /files/* tus", "where tus uploads are created"),
    ],
)
def test_a_wrong_route_is_told(text: str, said: str) -> None:
    """A route that is malformed, has no upload or a query is refused with what is expected."""
    with pytest.raises(SettingsError, match=said):
        CheckedRoute.parse(text)
