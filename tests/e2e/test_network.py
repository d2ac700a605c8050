"""Losing the network: hashing needs none, and sending loses nothing."""

from pathlib import Path

from tests.e2e import pictures
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import UNDER_18, Sending, Start, way_to_review

CASES = "/v1/cases"
NO_CONNECTION = "No connection. We keep trying. Nothing is lost."


def test_hashing_needs_no_network(engine: Hands, registry: Registry, picture: Path) -> None:
    """Once the device is ready, the wire can be cut and pictures are hashed; only what comes later is missing."""
    start = Start.open(engine, registry.url).wait_until_ready()
    registry.recorder.cut()
    before = len(registry.recorder.requests)
    start.begin().answer(UNDER_18).choose(picture).go_on().wait_until_done(1).go_on()
    asked = {(request.method, request.path) for request in registry.recorder.requests[before:]}
    files = {("GET", f"/runtime/{name}") for name in ("phash.zip", "second-part.wasm")}
    assert asked <= files | {("GET", "/v1/platforms")}  # which is asked for once the message is shown


def test_a_lost_answer_makes_no_second_case(engine: Hands, registry: Registry, picture: Path) -> None:
    """When the registry's answer is lost after it kept the case, the page sends the same again and gets that case."""
    cases = registry.cases()
    review = way_to_review(engine, registry.url, [picture])
    registry.recorder.lose_next_answer("POST", CASES)
    receipt = review.send().arrive()
    lost, *again = registry.recorder.to("POST", CASES)
    assert lost.answer is None
    assert again
    assert {(r.body, r.headers["idempotency-key"], r.headers["takeback-pin"]) for r in again} == {
        (lost.body, lost.headers["idempotency-key"], lost.headers["takeback-pin"])
    }
    assert registry.cases() == cases + 1
    assert receipt.keep().see_case().text().count("Blocking is on") == 1


def test_the_page_says_that_the_network_is_gone_and_sends_when_it_is_back(
    engine: Hands, registry: Registry, picture: Path
) -> None:
    """While nothing gets through the page says so; `Try now` sends as soon as the wire is mended."""
    cases = registry.cases()
    review = way_to_review(engine, registry.url, [picture])
    registry.recorder.cut()
    sending = review.send()
    engine.wait_for_text(NO_CONNECTION)
    registry.recorder.mend()
    sending.arrive()
    keys = {request.headers["idempotency-key"] for request in registry.recorder.to("POST", CASES)}
    assert len(keys) == 1
    assert registry.cases() == cases + 1


def test_a_device_that_goes_offline_sends_when_it_is_online(
    person: PlaywrightHands, registry: Registry, picture: Path
) -> None:
    """With the device itself offline the page keeps the message, and being online again is enough to send it."""
    review = way_to_review(person, registry.url, [picture])
    person.page.context.set_offline(offline=True)
    sending = review.send()
    person.wait_for_text(NO_CONNECTION)
    assert registry.recorder.to("POST", CASES) == []
    person.page.context.set_offline(offline=False)
    sending.arrive()


def test_stopping_and_sending_again_makes_one_case(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """A person who stops while the answer is missing, and sends again, has one case."""
    cases = registry.cases()
    review = way_to_review(person, registry.url, [pictures.save(folder, 7, "png")])
    registry.recorder.lose_next_answer("POST", CASES)
    registry.recorder.cut()
    review.send()
    person.wait_for_text(NO_CONNECTION)
    person.press("button", "Stop sending")
    person.wait_for_text("You stopped.")
    registry.recorder.mend()
    person.press("button", "Send the fingerprints")
    Sending(person).arrive()
    assert registry.cases() == cases + 1
    assert len({request.headers["idempotency-key"] for request in registry.recorder.to("POST", CASES)}) == 1


_OUT_OF_VIEW = """
  const waiting = [];
  let inView = false;
  const real = requestAnimationFrame;
  Object.defineProperty(document, "hidden", { get: () => !inView });
  globalThis.requestAnimationFrame = (draw) => inView ? real(draw) : waiting.push(draw);
  globalThis.comeIntoView = () => { inView = true; waiting.splice(0).forEach((draw) => real(draw)); };
"""


def test_a_tab_out_of_view_asks_for_nothing_that_it_does_not_read(person: PlaywrightHands, registry: Registry) -> None:
    """A page that is opened in the background begins to load its program when it is looked at, and is ready then."""
    asked: list[str] = []
    person.page.on("request", lambda request: asked.append(request.url))
    person.page.add_init_script(_OUT_OF_VIEW)
    person.page.goto(registry.url)
    person.page.get_by_role("heading", level=1).wait_for()
    assert asked
    assert [url for url in asked if "/runtime/" in url] == []
    person.page.evaluate("comeIntoView()")
    Start(person).wait_until_ready()
    assert [url for url in asked if "/runtime/" in url]
