"""Signatures of a running registry, verified by code that follows only PROTOCOL.md."""

import json
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from takeback.registry.http.openapi import FEED_HEAD
from tests.registry.support import Json, Platform, Server, command, md5, pdq, problem, serving


def get(
    server: Server, platform: Platform, after: int, limit: int = 1000, more: dict[str, str] | None = None
) -> httpx.Response:
    """The answer with a page of the feed."""
    params = {"after": after, "limit": limit}
    return server.http.get(
        "/v1/feed", params=params, headers={**platform.headers, "Accept-Encoding": "identity", **(more or {})}
    )


def head_of(answer: httpx.Response, platform: Platform, body: bytes | None = None) -> Json:
    """The signed head of an answer, after its signature is verified."""
    head = json.loads(answer.headers[FEED_HEAD])
    digest = sha256(answer.content if body is None else body).hexdigest()
    said = [
        "takeback feed 1",
        platform.key.split("_")[1],
        head["number"],
        head["chain"],
        head["newest"],
        head["at"],
        digest,
    ]
    statement = "".join(f"{line}\n" for line in said).encode()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(head["key"])).verify(bytes.fromhex(head["signature"]), statement)
    return head


def leaf(line: Json, added: int) -> bytes:
    """A line's leaf, by the table of PROTOCOL.md."""
    if line["action"] == "erased":
        return bytes.fromhex(line["leaf"])
    said: list[object] = [line["action"], line["number"]]
    if line["action"] == "add":
        signal = line["signal"]
        said += [signal["type"], signal["value"], signal.get("quality", "-"), signal.get("variant", "whole")]
        said += [line.get("kind", "image"), int(line.get("ai_made", False)), line.get("age_band", "minor")]
        said += [line.get("since", "-"), line.get("standing", "block")]
    else:
        said += [added, line.get("standing", "-")]
    text = "".join(f"{one}\n" for one in said).encode()
    return sha256(b"\0" + bytes.fromhex(line.get("salt", "")) + text).digest()


def walk(server: Server, platform: Platform, limit: int = 1000) -> Iterator[tuple[int, str]]:
    """Follows the whole feed, verifies each page against its head, and gives each page's number and link."""
    link, after, added = bytes(32), 0, dict[str, int]()
    while True:
        answer = get(server, platform, after, limit)
        for line in answer.json()["entries"]:
            link = sha256(b"\1" + link + leaf(line, added.setdefault(line["entry"], line["number"]))).digest()
            after = line["number"]
        head = head_of(answer, platform)
        assert (head["number"], head["chain"]) == (after, link.hex())
        assert head["newest"] == answer.json()["head"]
        yield after, head["chain"]
        if not answer.json()["entries"]:
            return


def test_every_page_is_signed(server: Server, platform: Platform) -> None:
    """Pages of any size lead to the signed links, which are the same for every platform."""
    number = server.submit([pdq(), md5()], [pdq(0)]).json()["number"]
    server.submit([{**pdq(), "variant": "stored"}])
    server.withdraw(number, 0)
    whole = dict(walk(server, platform))
    links = dict(walk(server, server.platform("Another"), 2))

    assert whole.items() <= links.items()
    assert len(links) > len(whole)


def test_an_answer_that_is_known_is_not_sent_again(server: Server, platform: Platform) -> None:
    """A request with a page's current tag is answered with 304 and a newly signed head; another with the page."""
    server.submit([md5()])
    first = get(server, platform, 0)
    again = get(server, platform, 0, more={"If-None-Match": f'"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert head_of(again, platform, first.content)["number"] == first.json()["head"]
    assert first.headers["cache-control"] == "private, no-cache"
    server.submit([md5()])
    assert get(server, platform, 0, more={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_a_long_page_is_compressed_for_who_asks(server: Server, platform: Platform) -> None:
    """A page sent with gzip is smaller, has the same content, and its signature is valid; otherwise it is plain."""
    server.submit([md5() for _ in range(20)])
    plain, packed = get(server, platform, 0), get(server, platform, 0, more={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.content == plain.content
    assert packed.headers["etag"] == plain.headers["etag"]
    head_of(packed, platform)
    assert "content-encoding" not in get(server, platform, 0, more={"Accept-Encoding": "gzip;q=0"}).headers


def test_a_poll_waits_for_news(server: Server, platform: Platform) -> None:
    """A long poll is answered when a line is added, and with an empty page when none is."""
    start = platform.page()["head"]
    url, told = f"/v1/feed?after={start}&wait=30", list[Json]()
    with httpx.Client(base_url=server.address, timeout=60, headers=platform.headers) as http:
        waiting = threading.Thread(target=lambda: told.append(http.get(url).json()))
        waiting.start()
        signal = md5()
        server.submit([signal])
        waiting.join()
    (page,) = told
    assert [line["signal"]["value"] for line in page["entries"]] == [signal["value"]]
    empty = server.http.get(f"/v1/feed?after={start + 1}&wait=1", headers=platform.headers)
    assert empty.json() == {"entries": [], "head": start + 1}
    problem(server.http.get("/v1/feed?after=0&wait=31", headers=platform.headers), 400, "invalid-message", "wait")


def test_a_stop_lets_go_of_who_waits(tmp_path: Path) -> None:
    """A registry that is told to stop answers its long polls instead of closing their connections."""
    server = Server(tmp_path / "var")
    platform, told = server.platform("Example Photos"), list[httpx.Response]()
    number = server.submit([md5()]).json()["number"]
    with httpx.Client(base_url=server.address, timeout=120, headers=platform.headers) as http:
        waiting = threading.Thread(target=lambda: told.append(http.get("/v1/feed?after=1&wait=30")))
        waiting.start()
        while server.case(number).json()["platforms"] == 0:  # noted before it waits
            time.sleep(0.01)
        server.stop()
        waiting.join()
    assert [answer.status_code for answer in told] == [200]
    assert told[0].json() == {"entries": [], "head": 1}


def test_the_key_is_rotated_while_the_registry_runs(tmp_path: Path) -> None:
    """After a rotation the running registry signs with the new key, and its list links it to the old one."""
    data = tmp_path / "var"
    with serving(data) as server:
        platform = server.platform("Example Photos")
        old = head_of(get(server, platform, 0), platform)["key"]
        assert server.command("registry", "feed-key", "show").stdout.strip() == old
        rotated = server.command("registry", "feed-key", "rotate")
        assert rotated.returncode == 0, rotated.stderr
        new = rotated.stdout.strip()
        while head_of(get(server, platform, 0), platform)["key"] != new:
            time.sleep(0.05)
        keys = server.http.get("/v1/feed/keys", headers=platform.headers).json()["keys"]
        assert [key["key"] for key in keys] == [old, new]
        statement = f"takeback feed key 1\n{old}\n{new}\n".encode()
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(old)).verify(bytes.fromhex(keys[1]["signature"]), statement)
        lost = server.command("registry", "feed-key", "rotate", "--lost")
        assert lost.returncode == 0
        last = server.http.get("/v1/feed/keys", headers=platform.headers).json()["keys"][-1]
        assert last == {"key": lost.stdout.strip(), "signature": None}
    with serving(data) as server:
        platform = server.platform("Another")
        assert head_of(get(server, platform, 0), platform)["key"] == last["key"]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (Path.unlink, "is missing, and no gate would believe the feed"),
        (lambda key: key.write_bytes(b"x" * 32), "is not the feed key of this database"),
        (lambda key: key.write_bytes(b"x"), "is not a feed key"),
        (lambda key: key.chmod(0o644), "others may read the feed key"),
    ],
)
def test_a_missing_wrong_or_open_feed_key_stops_the_start(tmp_path: Path, spoil: object, complaint: str) -> None:
    """Without the key that signed before, the registry does not start and says what to do."""
    data = tmp_path / "var"
    with serving(data):
        pass
    spoil(data / "keys" / "feed.key")  # type: ignore[operator]
    refused = command("registry", "serve", "--data", data, "--port", 0)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert complaint in refused.stderr
