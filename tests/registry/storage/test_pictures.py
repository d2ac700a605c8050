"""Pictures added to an existing case."""

from takeback.protocol import MAX_CASE_PICTURES
from tests.registry.support import OTHER_PIN, Platform, Server, md5, problem, values


def test_pictures_are_added_after_those_that_are_there(server: Server, platform: Platform) -> None:
    """Added pictures get the next positions in the case, and their signals enter the feed."""
    first, second = md5(), md5()
    number = server.submit([first]).json()["number"]
    answer = server.add_pictures(number, [second], [first])

    assert answer.status_code == 200
    assert len(answer.json()["pictures"]) == 3
    assert {first["value"], second["value"]} <= values(platform.active())
    server.withdraw(number, 0)
    assert first["value"] in values(platform.active())
    server.withdraw(number, 2)
    assert first["value"] not in values(platform.active())


def test_the_same_message_adds_once(server: Server) -> None:
    """Pictures sent again under the same key are not added twice; other pictures under that key are refused."""
    number = server.submit([md5()]).json()["number"]
    more, key = md5(), "cd" * 16
    answers = [server.add_pictures(number, [more], key=key).json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(answers[0]["pictures"]) == 2
    problem(server.add_pictures(number, [md5()], key=key), 409, "key-reused")
    problem(server.submit([more], key=key), 409, "key-reused")
    other = server.submit([md5()]).json()["number"]
    problem(server.add_pictures(other, [more], key=key), 409, "key-reused")


def test_adding_needs_the_pin(server: Server) -> None:
    """Without the right PIN nothing is added."""
    number = server.submit([md5()]).json()["number"]

    problem(server.add_pictures(number, [md5()], pin=OTHER_PIN), 404, "case-not-found")
    assert len(server.case(number).json()["pictures"]) == 1


def test_a_case_that_ended_takes_no_more(server: Server) -> None:
    """A withdrawn case stays withdrawn and takes no more pictures."""
    number = server.submit([md5()]).json()["number"]
    server.withdraw(number)

    problem(server.add_pictures(number, [md5()]), 409, "case-closed")
    assert server.case(number).json()["state"] == "withdrawn"


def test_a_case_has_its_limit(server: Server) -> None:
    """A case accepts pictures up to its limit, and refuses as a whole a message that would exceed it."""
    number = server.submit(*([md5()] for _ in range(50))).json()["number"]
    for _ in range(MAX_CASE_PICTURES // 50 - 2):
        assert server.add_pictures(number, *([md5()] for _ in range(50))).status_code == 200

    assert server.add_pictures(number, *([md5()] for _ in range(49))).status_code == 200
    problem(server.add_pictures(number, [md5()], [md5()]), 409, "case-closed")
    assert len(server.add_pictures(number, [md5()]).json()["pictures"]) == MAX_CASE_PICTURES
