import json
import secrets

import pytest
from msgspec import Struct

from takeback import protocol
from takeback.registry.rules import cases
from tests.registry.support import (
    Json,
    Platform,
    Server,
    follow,
    md5,
    pdq,
    problem,
    secret_headers,
    sha256,
    values,
)


def test_the_feed_comes_in_pages_without_gaps(server: Server, platform: Platform) -> None:
    """Pages of any size together are the whole feed; a short page is the last."""
    server.submit([md5() for _ in range(7)])
    whole = platform.page()
    pages, after = [], 0
    while page := platform.page(after, 3)["entries"]:
        pages += page
        after = page[-1]["number"]

    assert pages == whole["entries"]
    assert follow(iter(pages))[1] == whole["head"]
    assert platform.page(whole["head"]) == {"entries": [], "head": whole["head"]}


def test_an_entry_carries_its_signal_and_nothing_else(server: Server, platform: Platform) -> None:
    """An `add` has a number, an id, the day and the signal as it was sent: quality with PDQ, variant when stored."""
    sent = [pdq(31), {**pdq(90), "variant": "stored"}, sha256(), md5()]
    before = platform.page()["head"]
    server.submit(sent)
    entries = platform.page(before)["entries"]

    assert all(entry.keys() == {"number", "action", "entry", "signal", "since", "salt"} for entry in entries)
    assert sorted((e["signal"] for e in entries), key=str) == sorted(sent, key=str)


def test_an_entry_tells_what_the_person_said_of_the_picture(server: Server, platform: Platform) -> None:
    """Kind, AI-made and age band of a picture go with its entries, each only when it is not the default."""
    before = platform.page()["head"]
    pictures: Json = [
        {"signals": [md5()], "kind": "video"},
        {"signals": [md5()], "ai_made": True},
        {"signals": [md5()]},
    ]
    body = {"pictures": pictures, "age_band": "was_minor"}
    assert server.http.post("/v1/cases", json=body, headers=secret_headers()).status_code == 201
    told = {e["signal"]["value"]: e for e in platform.page(before)["entries"]}
    video, made, plain = (told[picture["signals"][0]["value"]] for picture in pictures)

    assert all(entry["age_band"] == "was_minor" for entry in told.values())
    assert (video.get("kind"), video.get("ai_made")) == ("video", None)
    assert (made.get("kind"), made.get("ai_made")) == (None, True)
    assert plain.keys() == {"number", "action", "entry", "signal", "since", "age_band", "salt"}


def _pdq() -> str:
    """A hash with as many ones as zeros, as the registry wants it: of 256 random ones one in ten had a wrong number."""
    half = secrets.token_bytes(16)
    return (half + bytes(255 - byte for byte in half)).hex()


def test_a_video_goes_through_the_feed(server: Server, platform: Platform) -> None:
    """The frames of a video are in the feed as they were sent, and are removed with their case."""
    frames = ";".join(f"{n},100,{_pdq()},{n}.000" for n in range(256))
    before = platform.page()["head"]
    answers = [server.submit([{"type": "vpdq", "value": frames}]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], [answer.text for answer in answers]
    case = answers[0].json()

    (entry,) = platform.page(before)["entries"]
    assert entry["signal"] == {"type": "vpdq", "value": frames}
    server.withdraw(case["number"])
    assert frames in values(platform.active())


def test_platforms_see_ids_of_their_own(server: Server, platform: Platform) -> None:
    """Two platforms see the same signals under different ids, which stay the same in every page and after a new key."""
    other = server.platform("Own Photos")
    before = platform.page()["head"]
    number = server.submit([md5(), md5()]).json()["number"]
    ids = [[e["entry"] for e in one.page(before)["entries"]] for one in (platform, other, platform)]
    rotated = Platform(server.http, server.command("platform", "rotate", "Own Photos").stdout.split()[0])

    assert set(ids[0]).isdisjoint(ids[1])
    assert ids[0] == ids[2]
    assert ids[1] == [e["entry"] for e in rotated.page(before)["entries"]]
    assert platform.report(ids[1][0])["unknown_entries"] == [ids[1][0]]
    assert rotated.report(*ids[1])["recorded"] == 1
    assert server.case(number).json()["pictures"][0]["blocked"] == 1


def test_entries_of_a_case_are_shuffled(server: Server, platform: Platform) -> None:
    """The feed does not reveal the order in which signals were sent."""
    sent = [sha256() for _ in range(24)]
    before = platform.page()["head"]
    server.submit(sent)

    assert [e["signal"]["value"] for e in platform.page(before)["entries"]] != [s["value"] for s in sent]


def test_a_cursor_past_the_head_is_answered_truthfully(server: Server, platform: Platform) -> None:
    """For a cursor beyond its end the feed answers with its head, and does not count the platform as having it."""
    number = server.submit([md5()], [md5()]).json()["number"]
    head = platform.page(limit=1)["head"]

    assert platform.page(head + 1000) == {"entries": [], "head": head}
    assert server.case(number).json()["platforms"] == 0


def test_a_platform_counts_once_it_was_told_every_signal(server: Server, platform: Platform) -> None:
    """A case counts the platforms that received its last entry, but not one that starts again."""
    number = server.submit([md5(), md5()]).json()["number"]
    head = platform.page(limit=1)["head"]
    counts = []
    for cursor in (head - 2, head - 1, 0):
        platform.page(cursor, limit=1)
        counts.append(server.case(number).json()["platforms"])

    assert counts == [0, 1, 0]


def test_blocked_uploads_show_in_the_case(server: Server, platform: Platform) -> None:
    """Each picture counts the uploads blocked for any of its signals, once each, and their platforms."""
    first, second = [pdq(), md5()], [md5()]
    before = platform.page()["head"]
    number = server.submit(first, second).json()["number"]
    ids = {e["signal"]["value"]: e["entry"] for e in platform.page(before)["entries"]}
    of_first = [ids[s["value"]] for s in first]
    event = secrets.token_hex(16)

    for _ in range(2):
        assert platform.report(*of_first, event=event) == {"recorded": 1, "unknown_entries": []}
    platform.report(of_first[0])
    platform.report(*of_first, verdict="not_blocked")
    platform.report(*of_first, verdict="pending_review")
    second_platform = server.platform("Second Photos")
    own = {e["signal"]["value"]: e["entry"] for e in second_platform.page(before)["entries"]}
    second_platform.report(own[first[1]["value"]])

    one, two = server.case(number).json()["pictures"]
    assert (one["blocked"], one["platforms"]) == (3, 2)
    assert one["first_blocked_at"] <= one["last_blocked_at"]
    assert (one["not_blocked"], one["pending_review"]) == (1, 1)
    assert two == encoded(cases.NOTHING_SEEN)


def test_a_withdrawn_entry_is_unknown(server: Server, platform: Platform) -> None:
    """Feedback on a removed entry is not stored, and the receipt names the entry."""
    before = platform.page()["head"]
    number = server.submit([md5()]).json()["number"]
    entry = platform.page(before)["entries"][0]["entry"]
    server.withdraw(number)

    assert platform.report(entry) == {"recorded": 0, "unknown_entries": [entry]}


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "feedback[0].id"),
        ({"id": "x", "verdict": "blocked", "entries": ["a" * 32]}, "feedback[0].id"),
        ({"id": "a" * 32, "verdict": "Verdict.BLOCKED", "entries": ["a" * 32]}, "feedback[0].verdict"),
        ({"id": "a" * 32, "verdict": "blocked", "entries": []}, "feedback[0].entries"),
        ({"id": "a" * 32, "verdict": "blocked", "entries": ["A" * 32]}, "feedback[0].entries[0]"),
        ({"id": "a" * 32, "verdict": "blocked", "entries": ["a" * 32] * 65}, "feedback[0].entries"),
        ({"id": "a" * 32, "verdict": "blocked", "entries": ["a" * 32], "user": "x"}, "feedback[0].user"),
    ],
)
def test_bad_feedback_is_refused(server: Server, platform: Platform, event: dict[str, object], field: str) -> None:
    """Feedback that breaks the protocol is refused, and the problem names the wrong field."""
    answer = server.http.post("/v1/feedback", json={"feedback": [event]}, headers=platform.headers)
    problem(answer, 400, "invalid-message", field)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer x",
        "Basic dGI6eA==",
        f"Bearer tbk_{'0' * 16}_{'0' * 64}",
        f"Bearer TBK_{'0' * 16}_{'0' * 64}",
    ],
)
@pytest.mark.parametrize("path", ["/v1/feed?after=0", "/v1/feedback"])
def test_no_hash_without_a_key(server: Server, authorization: str | None, path: str) -> None:
    """Without a valid platform key the feed cannot be read and feedback is refused."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = server.http.request("GET" if "feed?" in path else "POST", path, headers=headers)
    problem(answer, 401, "not-a-platform")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_half_a_key_is_no_key(server: Server, platform: Platform) -> None:
    """A right key id with a wrong secret is refused."""
    wrong = platform.key[:-1] + ("0" if platform.key[-1] != "0" else "1")
    answer = server.http.get("/v1/feed?after=0", headers={"Authorization": f"Bearer {wrong}"})
    problem(answer, 401, "not-a-platform")


def test_a_revoked_key_stops_and_a_rotated_one_replaces(server: Server) -> None:
    """A revoked key stops working at once; rotation gives a new key that works, and the old one stays invalid."""
    platform = server.platform("Third Photos")
    assert server.command("platform", "revoke", "Third Photos").returncode == 0
    revoked = server.http.get("/v1/feed?after=0", headers=platform.headers)
    new = server.command("platform", "rotate", "Third Photos").stdout.split()[0]
    answers = [
        server.http.get("/v1/feed?after=0", headers={"Authorization": f"Bearer {key}"}).status_code
        for key in (new, platform.key)
    ]

    problem(revoked, 401, "not-a-platform")
    assert answers == [200, 401]


def test_a_revoked_platform_no_longer_counts(server: Server) -> None:
    """A platform whose key is revoked does not count among those that received a case."""
    platform = server.platform("Fourth Photos")
    number = server.submit([md5()]).json()["number"]
    platform.page(platform.page()["head"])
    before = server.case(number).json()["platforms"]
    server.command("platform", "revoke", "Fourth Photos")

    assert (before, server.case(number).json()["platforms"]) == (1, 0)


def test_feedback_from_before_and_after_a_case_is_not_its_own(server: Server, platform: Platform) -> None:
    """A person does not see feedback on a picture from before they sent it or after they withdrew it."""
    signal = md5()
    before = platform.page()["head"]
    first = server.submit([signal]).json()
    entry = platform.page(before)["entries"][0]["entry"]
    platform.report(entry)
    _next_second(server, first["received_at"])
    second = server.submit([signal]).json()
    told_at_start = server.case(second["number"]).json()["pictures"][0]["blocked"]
    server.withdraw(first["number"])
    _next_second(server, second["received_at"])
    platform.report(entry)

    assert told_at_start == 0
    assert server.case(second["number"]).json()["pictures"][0]["blocked"] == 1
    assert server.case(first["number"]).json()["pictures"][0]["blocked"] == 1
    assert signal["value"] in values(platform.active())


def encoded(message: Struct) -> object:
    """A message as plain JSON values."""
    return json.loads(protocol.encode(message))


def _next_second(server: Server, moment: str) -> None:
    """Waits until the registry's clock shows a later second than `moment`."""
    while True:
        fresh = server.submit([md5()]).json()
        if fresh["received_at"] > moment:
            return
