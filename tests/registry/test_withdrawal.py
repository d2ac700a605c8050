import pytest

from tests.registry.support import Platform, Server, md5, pdq, problem, sha256, values


def test_a_withdrawn_signal_leaves_the_feed(server: Server, platform: Platform) -> None:
    """Once its only case is withdrawn, a signal is no longer active for a platform that follows the feed."""
    signals = [pdq(), sha256(), md5()]
    number = server.submit(signals).json()["number"]
    assert {s["value"] for s in signals} <= values(platform.active())

    answer = server.withdraw(number)

    assert (answer.status_code, answer.json()["state"]) == (200, "withdrawn")
    assert answer.json()["withdrawn_at"] is not None
    assert values(platform.active()).isdisjoint(s["value"] for s in signals)


def test_a_signal_stays_while_another_case_holds_it(server: Server, platform: Platform) -> None:
    """A signal of two cases stays in the feed, under one entry, until the second of them is withdrawn."""
    shared, own = md5(), md5()
    first = server.submit([shared, own]).json()["number"]
    second = server.submit([shared]).json()["number"]

    server.withdraw(first)
    after_first = values(platform.active())
    server.withdraw(second)
    after_second = values(platform.active())

    assert shared["value"] in after_first
    assert own["value"] not in after_first
    assert shared["value"] not in after_second


def test_withdrawing_again_changes_nothing(server: Server, platform: Platform) -> None:
    """A repeated withdrawal gets the same answer and changes nothing, even if another case has the signal again."""
    signal = md5()
    number = server.submit([signal]).json()["number"]
    first = server.withdraw(number).json()
    server.submit([signal])
    head = platform.page()["head"]

    assert server.withdraw(number).json() == first | {"platforms": 1}  # the page told it the withdrawal
    assert platform.page()["head"] == head
    assert signal["value"] in values(platform.active())


def test_a_signal_that_comes_back_gets_a_new_entry(server: Server, platform: Platform) -> None:
    """A signal that is sent again after its withdrawal is added under another entry id."""
    signal = md5()
    server.withdraw(server.submit([signal]).json()["number"])
    server.submit([signal])
    ids = [e["entry"] for e in platform.page()["entries"] if e.get("signal", {}).get("value") == signal["value"]]

    assert len(set(ids)) == 2


def test_withdrawal_needs_the_pin(server: Server, platform: Platform) -> None:
    """Without the right PIN nothing is withdrawn."""
    signal = md5()
    number = server.submit([signal]).json()["number"]

    problem(server.withdraw(number, pin="2222-2222-2222"), 404, "case-not-found")
    assert signal["value"] in values(platform.active())


def test_pictures_are_withdrawn_one_by_one(server: Server, platform: Platform) -> None:
    """A withdrawal of some pictures removes only their signals; with the last picture the case ends."""
    signals = [md5() for _ in range(3)]
    number = server.submit(*([signal] for signal in signals)).json()["number"]

    some = server.withdraw(number, 0, 2).json()
    left = values(platform.active())
    again = server.withdraw(number, 0).json()
    last = server.withdraw(number, 1).json()

    assert some["state"] == again["state"] == "active"
    assert [picture["withdrawn_at"] is None for picture in some["pictures"]] == [False, True, False]
    assert left & {signal["value"] for signal in signals} == {signals[1]["value"]}
    assert (last["state"], signals[1]["value"] in values(platform.active())) == ("withdrawn", False)


def test_a_signal_of_two_pictures_stays_with_the_second(server: Server, platform: Platform) -> None:
    """A signal that two pictures of one case hold leaves the feed with the second of them."""
    signal = md5()
    number = server.submit([signal], [signal]).json()["number"]
    server.withdraw(number, 0)
    after_first = values(platform.active())
    server.withdraw(number, 1)

    assert signal["value"] in after_first
    assert signal["value"] not in values(platform.active())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "pictures"),
        ({"pictures": []}, "pictures"),
        ({"pictures": [0, 1]}, "pictures[1]"),
        ({"pictures": [-1]}, "pictures[0]"),
        ({"pictures": ["0"]}, "pictures[0]"),
        ({"pictures": [0], "all": True}, "all"),
    ],
)
def test_a_bad_withdrawal_is_refused(server: Server, body: dict[str, object], field: str) -> None:
    """A withdrawal of unknown pictures, or with an invalid body, changes nothing."""
    number = server.submit([md5()]).json()["number"]
    headers = {"Takeback-Pin": "K7QM-2XRW-9DHF"}
    answer = server.http.post(f"/v1/cases/{number}/withdraw", headers=headers, json=body)

    problem(answer, 400, "invalid-message", field)
    assert server.case(number).json()["state"] == "active"


def test_a_withdrawal_with_a_body_says_that_it_is_json(server: Server) -> None:
    """A withdrawal with a body that is not JSON is refused."""
    number = server.submit([md5()]).json()["number"]
    headers = {"Takeback-Pin": "K7QM-2XRW-9DHF", "Content-Type": "text/plain"}
    answer = server.http.post(f"/v1/cases/{number}/withdraw", headers=headers, content=b'{"pictures":[0]}')

    problem(answer, 415, "not-json")


def test_platforms_of_a_withdrawn_case_are_those_that_removed_it(server: Server, platform: Platform) -> None:
    """After a withdrawal `platforms` starts again from 0 and counts those that have received the removal."""
    number = server.submit([md5()]).json()["number"]
    platform.page(platform.page()["head"])
    assert server.case(number).json()["platforms"] == 1

    assert server.withdraw(number).json()["platforms"] == 0
    platform.page(platform.page(0, 1)["head"])
    assert server.case(number).json()["platforms"] == 1
