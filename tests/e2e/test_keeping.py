"""Keeping the program for the next visit: off until turned on, whole without a network, gone when a person leaves."""

from pathlib import Path
from typing import Final

from takeback.registry.http.response_headers import ResponseKind, headers_for
from tests.e2e.builds import build_with
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import DIST, Registry
from tests.e2e.recorder import Answer
from tests.e2e.screens import Receipt, Start, way_to_review

KEPT: Final = """
(async () => [(await caches.keys()).length, (await navigator.serviceWorker.getRegistrations()).length])()
"""
_POLICY_KEPT: Final = "fetch('/worker.js').then((answer) => answer.headers.get('content-security-policy'))"
_NEXT_IS_WAITING: Final = """
navigator.serviceWorker.getRegistration().then((kept) => kept.update()).then((kept) => new Promise((done) => {
  const look = () => (kept.waiting ? done() : setTimeout(look, 50));
  look();
}))
"""
"""The browser looks for a new build, and has all of it."""


def test_a_kept_page_works_without_a_network_until_sending(engine: Hands, registry: Registry, picture: Path) -> None:
    """In each engine nothing is kept at first; a kept page opens and hashes with the wire cut, and sends later."""
    start = Start.open(engine, registry.url)
    assert engine.run(KEPT) == [0, 0]
    start.keep_program()
    engine.wait_for_text("You chose to keep the program of this page on this device.")
    registry.recorder.cut()
    review = way_to_review(engine, registry.url, [picture])
    engine.wait_for_text("You chose to keep the program of this page on this device.")
    assert engine.run(_POLICY_KEPT) == dict(headers_for(ResponseKind.WORKER, tls=False))["content-security-policy"]
    review.send()
    engine.wait_for_text("No connection. We keep trying. Nothing is lost.")
    registry.recorder.mend()
    Receipt(engine)


def test_leaving_quickly_takes_the_program_along(engine: Hands, registry: Registry) -> None:
    """In each engine the way out removes the service worker and its store, and the next visit keeps nothing."""
    Start.open(engine, registry.url).keep_program()
    assert engine.run(KEPT) == [1, 1]
    engine.press("button", "Leave quickly")
    engine.wait_until_away(registry.url)
    engine.open(registry.url)
    engine.wait_for_text("This page keeps nothing on your device.")
    assert engine.run(KEPT) == [0, 0]


def test_a_page_opened_offline_says_what_still_works(person: PlaywrightHands, registry: Registry) -> None:
    """A kept page that is opened with no network says that pictures can be hashed; turned off, nothing is kept."""
    Start.open(person, registry.url).keep_program()
    registry.recorder.cut()
    person.page.context.set_offline(offline=True)
    start = Start.open(person, registry.url).wait_until_ready()
    person.wait_for_text("You are offline. You can still choose pictures and make the fingerprints.")
    start.drop_program()
    person.wait_for_text("This page keeps nothing on your device.")
    assert person.run(KEPT) == [0, 0]


def test_a_program_that_comes_changed_is_not_kept(person: PlaywrightHands, registry: Registry) -> None:
    """When one file is not the one of this build, nothing is kept, and the page says so."""
    registry.recorder.extra["/notices.txt"] = Answer(200, {"content-type": "text/plain"}, b"changed")
    Start.open(person, registry.url)
    person.unfold("Make the next visit faster")
    person.press("button", "Keep the program on this device")
    person.wait_for_text("That did not work. Nothing was kept.")
    assert person.run(KEPT) == [0, 0]


def test_a_new_build_takes_the_place_of_the_kept_one(person: PlaywrightHands, registry: Registry) -> None:
    """A kept page fetches a new build beside the old one, and is the new one once its tab was closed."""
    Start.open(person, registry.url).keep_program()
    changed = (DIST / "index.html").read_bytes().replace(b"</head>", b'<meta name="next-build" /></head>')
    registry.recorder.extra |= build_with("/", changed, "text/html; charset=utf-8")
    person.run(_NEXT_IS_WAITING)
    assert person.page.locator("meta[name=next-build]").count() == 0
    context = person.page.context
    person.page.close()
    registry.recorder.cut()
    fresh = context.new_page()
    for _ in range(50):  # the browser changes them in its own time, while no tab shows the page
        fresh.goto(registry.url)
        if fresh.locator("meta[name=next-build]").count():
            return
        fresh.goto("about:blank")
    raise AssertionError("the new build never took its place")
