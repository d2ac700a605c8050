from pathlib import Path

from takeback.gate import Gate
from takeback.lookup import messages
from takeback.lookup.service.site_brakes import SiteBrake
from takeback.protocol import Verdict
from tests.gate.servers import Registry
from tests.lookup.services import EXACT, FILE, PDQ, Service, ask, question, running_service, second_site


def test_feedback_reaches_the_registry(service: Service, registry: Registry, home: Path) -> None:
    """What a site did with an upload is sent to the registry with the next sync, by the id alone."""
    answer = ask(service, PDQ).json()
    sent_back = service.http.post(messages.FEEDBACK, json={"id": answer["id"], "verdict": "blocked"})
    assert (sent_back.status_code, sent_back.json()) == (202, {"accepted": True})
    with Gate.open(home) as gate:
        assert gate.sync().delivered == 1
    ((verdict, entries),) = registry.feedback.values()
    assert verdict == "blocked"
    assert registry.log.active[entries[0]].value == PDQ.value


def test_an_exact_match_can_be_reported(service: Service, registry: Registry, home: Path) -> None:
    """The id in a list of suffixes is for feedback; that of a decoy is taken as well, and leads to nothing."""
    for one in service.http.get(messages.EXACT + EXACT[:5]).json()["suffixes"]:
        answer = service.http.post(messages.FEEDBACK, json={"id": one["id"], "verdict": "blocked"})
        assert (answer.status_code, answer.json()) == (202, {"accepted": True})
    with Gate.open(home) as gate:
        gate.sync()
    ((_, entries),) = registry.feedback.values()
    assert registry.log.active[entries[0]].value == EXACT


def test_a_site_says_not_blocked_once(service: Service, registry: Registry, home: Path) -> None:
    """However often a site asks, of the same entries its `not_blocked` counts once, and `blocked` by upload."""
    for verdict in ("not_blocked", "blocked"):
        for _ in range(3):
            given_id = ask(service, PDQ).json()["id"]
            service.http.post(messages.FEEDBACK, json={"id": given_id, "verdict": verdict})
    with Gate.open(home) as gate:
        gate.sync()
    assert sorted(verdict for verdict, _ in registry.feedback.values()) == ["blocked"] * 3 + ["not_blocked"]


def test_an_id_is_one_sites(service: Service) -> None:
    """An id of another site, a forged one and a shortened one are refused alike."""
    own = ask(service, PDQ).json()["id"]
    with second_site(service) as client:
        refused = client.post(messages.FEEDBACK, json={"id": own, "verdict": "blocked"})
    forged = [{"id": one, "verdict": "blocked"} for one in (own[:-8] + "AAAAAAA=", own[:40], "AAAA")]
    answers = [refused, *(service.http.post(messages.FEEDBACK, json=one) for one in forged)]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.text for answer in answers}) == 1


def test_a_rate_brake_is_one_sites(home: Path) -> None:
    """A site that asks very often about a picture turns its own answers into reviews, and nobody else's."""
    (home / "policy.toml").write_text("[flood]\nmatches = 3\n")
    with running_service(home) as service:
        decisions = [ask(service, PDQ, uploader=str(number)).json()["decision"] for number in range(5)]
        assert decisions == ["block"] * 3 + ["review"] * 2
        with second_site(service) as client:
            assert client.post(messages.CHECK, json=question(PDQ)).json()["decision"] == "block"
        confirmed = {"id": ask(service, PDQ).json()["id"], "verdict": "blocked", "confirmed": True}
        assert service.http.post(messages.FEEDBACK, json=confirmed).status_code == 202
        assert ask(service, PDQ).json()["decision"] == "block"
        with Gate.open(home) as gate:
            assert gate.check(FILE).action == "block"


def test_a_confirmation_can_be_taken_back() -> None:
    """What a site confirmed is not braked until it says `not_blocked`."""
    brake = SiteBrake(1, 60)
    brake.note(["a"], Verdict.BLOCKED, confirmed=True)
    assert [brake.count(["a"]) for _ in range(3)] == [False] * 3
    brake.note(["a"], Verdict.NOT_BLOCKED, confirmed=False)
    assert brake.count(["a"])
