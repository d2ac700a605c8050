"""The headers of what is really served, for a whole journey."""

from pathlib import Path

from takeback.registry.http.response_headers import headers_for, kind_of
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import way_to_review

WORKER_POLICY = "default-src 'none'; script-src 'wasm-unsafe-eval'"


def test_every_answer_carries_its_headers(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """Each answer of a journey carries exactly the headers of its kind, and none sets a cookie."""
    way_to_review(person, registry.url, [picture]).send().arrive()
    answered = [(request.path, request.answer) for request in registry.recorder.requests if request.answer]
    assert {kind_of(path) for path, _ in answered} >= {
        kind_of(path) for path in ("/", "/worker.js", "/v1/cases", "/styles.css")
    }
    for path, answer in answered:
        expected = dict(headers_for(kind_of(path), tls=False))
        assert {name: answer.headers.get(name) for name in expected} == expected, path
        assert "set-cookie" not in answer.headers, path
        assert "server" not in answer.headers, path


def test_the_worker_is_served_sealed(person: PlaywrightHands, registry: Registry) -> None:
    """The worker's script that browsers run comes with exactly the policy that the sealed-worker test tries."""
    person.open(registry.url)
    person.wait_for_text("Your device is ready.")
    (script,) = registry.recorder.to("GET", "/worker.js")
    assert script.answer is not None
    assert script.answer.headers["content-security-policy"] == WORKER_POLICY


def test_the_page_is_strict(person: PlaywrightHands, registry: Registry) -> None:
    """Neither text turned into markup nor text turned into code gets past the page's policy."""
    person.open(registry.url)
    person.wait_for("heading", "Stop a picture from spreading")
    answer = registry.recorder.to("GET", "/")[0].answer
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    # A function that Playwright evaluates may eval; a script of the page may not, and this is a timer of the page's.
    refused = person.run(
        "new Promise((done) => { try { document.body.innerHTML = 'x'; done('open'); } catch (e) { done(e.name); } })"
    )
    assert refused == "TypeError"
    assert person.run("crossOriginIsolated") is True


def test_a_picture_cannot_be_sent_elsewhere(engine: Hands, registry: Registry) -> None:
    """Even a script on the page itself cannot reach another host."""
    engine.open(registry.url)
    engine.wait_for("heading", "Stop a picture from spreading")
    refused = engine.run("fetch('http://127.0.0.1:9/leak').then(() => 'open', (fault) => fault.name)")
    assert refused == "TypeError"
