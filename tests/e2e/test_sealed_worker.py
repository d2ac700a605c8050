"""The sealed worker: every way out is tried, and the server counts what arrives."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from builder.site.bundle import bundle_worker
from takeback.registry.http.response_headers import ResponseKind, headers_for
from tests.e2e.builds import build_with
from tests.e2e.hands import Hands
from tests.e2e.product import Registry
from tests.e2e.recorder import Answer, Recorder
from tests.e2e.screens import Start

BUNDLED = {"pictures": "sealed_worker.js", "videos": "sealed_video.js"}
SCRIPT = {"content-type": "text/javascript; charset=utf-8"}
ISOLATED = {"cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp"}
ALWAYS_OPEN = {
    "fetch",
    "fetch-elsewhere",
    "XMLHttpRequest",
    "WebSocket",
    "EventSource",
    "import",
    "Worker",
    "blob-Worker",
    "eval",
}
"""Ways that lead out of an unsealed worker in every browser; if they did not, this test could not fail."""


@pytest.fixture(scope="module", params=BUNDLED)
def script(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One of the product's workers with the attempts beside it, in one bundle."""
    out = tmp_path_factory.mktemp("worker") / "worker.js"
    bundle_worker(Path(__file__).with_name(BUNDLED[request.param]), out)
    return out.read_bytes()


@pytest.fixture
def here(registry: Registry) -> Iterator[Recorder]:
    """The product behind an address of this test's own, where no datagram of an earlier test can still arrive."""
    port = urlsplit(registry.direct).port
    assert port is not None
    own = Recorder(port)
    yield own
    own.close()


@pytest.fixture
def elsewhere() -> Iterator[Recorder]:
    """Another server, which nothing may reach."""
    other = Recorder(0)
    other.extra["/leak/fetch-elsewhere"] = Answer(200, {"access-control-allow-origin": "*"}, b"")
    yield other
    other.close()


def test_there_is_no_way_out_of_the_sealed_worker(
    engine: Hands, here: Recorder, elsewhere: Recorder, script: bytes
) -> None:
    """Under the policy that the product's worker has, all ways out fail and nothing arrives anywhere."""
    here.extra["/tried.js"] = Answer(200, SCRIPT | dict(headers_for(ResponseKind.WORKER, tls=False)), script)
    outcome = _try(engine, here, elsewhere, "/tried.js")
    assert {name for name, how in outcome.items() if how == "open"} == set()
    assert len(outcome) >= 13
    assert _arrived(here) == set()
    assert _arrived(elsewhere) == set()
    assert here.datagrams == elsewhere.datagrams == []


def test_the_same_ways_lead_out_of_a_worker_that_is_not_sealed(
    engine: Hands, here: Recorder, elsewhere: Recorder, script: bytes
) -> None:
    """Without the policy the same attempts of the same script arrive."""
    here.extra["/tried.js"] = Answer(200, SCRIPT | ISOLATED, script)
    outcome = _try(engine, here, elsewhere, "/tried.js")
    arrived = _arrived(here) | _arrived(elsewhere)
    assert ALWAYS_OPEN - arrived == set(), outcome


@pytest.mark.parametrize("script", ["pictures"], indirect=True)
def test_there_is_no_way_out_of_a_worker_that_was_kept(
    engine: Hands, here: Recorder, elsewhere: Recorder, script: bytes
) -> None:
    """A worker from the store of a kept page comes with its policy: all ways out fail, and nothing arrives anywhere."""
    here.extra |= build_with("/worker.js", script)
    Start.open(engine, here.url).keep_program()
    here.extra["/worker.js"] = Answer(200, SCRIPT | ISOLATED, script)  # from the network it would be open
    outcome = _try(engine, here, elsewhere, "/worker.js")
    assert {name for name, how in outcome.items() if how == "open"} == set()
    assert len(outcome) >= 13
    assert _arrived(here) | _arrived(elsewhere) == set()


def test_shared_memory_is_no_way_out(engine: Hands, here: Recorder) -> None:
    """What a worker writes into the memory where it waits for the second part of CPython goes nowhere.

    The page is the product's own. The worker asks for the second part, so the page writes to that memory; whatever
    stands there before, meanwhile and afterwards, the page sends nothing but requests for its own files.
    """
    hoarding = Path(__file__).with_name("hoarding_worker.js").read_bytes()
    here.extra["/worker.js"] = Answer(200, SCRIPT | dict(headers_for(ResponseKind.WORKER, tls=False)), hoarding)
    here.extra["/file"] = Answer(200, {"content-type": "image/png"}, b"a picture")
    engine.open(here.url)
    if not engine.run("crossOriginIsolated && typeof SharedArrayBuffer === 'function'"):
        pytest.skip("this browser shares no memory")
    assert engine.run(_HASH_AND_LEAVE) == "unknown-format"
    assert here.to("GET", "/runtime/second-part.wasm")
    assert all(request.method == "GET" for request in here.requests)
    assert [request for request in here.requests if b"leak" in request.text or b"zephyr" in request.text] == []
    assert here.datagrams == []


def _try(hands: Hands, here: Recorder, elsewhere: Recorder, worker: str) -> dict[str, str]:
    """What became of each way out of the worker at this path of the product's own origin."""
    here.extra["/tried.html"] = Answer(200, {"content-type": "text/html", **ISOLATED}, b"<title>tried</title>")
    for way in ("import", "import-again", "Worker"):
        here.extra[f"/leak/{way}"] = Answer(200, SCRIPT | ISOLATED, b"globalThis.postMessage?.('leaked');")
    here.extra["/leak/EventSource"] = Answer(200, {"content-type": "text/event-stream"}, b"data: leaked\n\n")
    hands.open(f"{here.url}/tried.html")
    outcome = hands.run(_ASK % (json.dumps(worker), json.dumps(elsewhere.url)))
    assert isinstance(outcome, dict)
    return outcome


_HASH_AND_LEAVE = """
(async () => {
  const { createDoor } = await import("/page.js");
  const door = createDoor();
  await door.ready;
  const file = new File([await (await fetch("/file")).blob()], "file");
  const answer = await door.hash(file).catch((fault) => fault.code);
  door.close();
  return answer;
})()
"""

_ASK = """
new Promise((resolve, reject) => {
  const worker = new Worker(%s, { type: "module" });
  let trying = "starting";
  setTimeout(() => reject(new Error(`the worker hangs: ${trying}`)), 200_000);
  worker.onmessage = ({ data }) => {
    trying = data.trying ?? trying;
    if (data.outcome) resolve(data.outcome);
  };
  worker.onerror = (event) => reject(new Error(event.message ?? "the worker did not start"));
  worker.postMessage({ tryEveryWay: true, elsewhere: %s });
})
"""


def _arrived(server: Recorder) -> set[str]:
    """The ways that reached a server."""
    return {
        request.path.partition("?")[0].removeprefix("/leak/") for request in server.requests if "/leak" in request.path
    }
