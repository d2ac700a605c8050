"""Time that the proxy adds to an upload beside the check itself: `python3 build.py bench proxy`.

A 3-megapixel JPEG in a form goes through `takeback gate proxy`; in turns with it the same bytes go to the sidecar that
the proxy asks, and the form straight to the application. The difference is what the proxy adds. A stand-in for the
sidecar reads the picture and allows it at once, because hashing varies by more than the proxy adds; so the check itself
is no part of any figure. `TAKEBACK_BENCH_UPLOADS=50` is the number of uploads.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Final

import httpx
from starlette.types import Receive, Scope, Send

from tests.bench.hashing import photograph
from tests.bench.serve import busy
from tests.gate.sidecar import answering
from tests.integrations.proxies import echoing, proxying

UPLOADS: Final = int(os.environ.get("TAKEBACK_BENCH_UPLOADS", "50"))
THREE_MEGAPIXELS: Final = (2000, 1500)
WARM: Final = 3


def timed(work: Callable[[], httpx.Response]) -> float:
    """Milliseconds of a request that succeeds."""
    start = time.perf_counter()
    status = work().status_code
    took = (time.perf_counter() - start) * 1000
    assert status == 200, status
    return took


def measure(proxy: httpx.Client, process: int, sidecar: httpx.Client, direct: httpx.Client) -> None:
    """Prints the medians of three ways, in turns, and of the difference."""
    picture = photograph(*THREE_MEGAPIXELS)
    form = direct.build_request("POST", "/upload", files={"photo": ("a.jpg", picture, "image/jpeg")})
    body, kind = form.read(), {"content-type": form.headers["content-type"]}
    ways: tuple[Callable[[], httpx.Response], ...] = (
        lambda: proxy.post("/upload", content=body, headers=kind),
        lambda: sidecar.post("/v1/check", content=picture, headers={"content-type": "image/jpeg"}),
        lambda: direct.post("/upload", content=body, headers=kind),
    )
    before = busy(process)
    rounds = [[timed(way) for way in ways] for _ in range(UPLOADS + WARM)][WARM:]
    used = (busy(process) - before) * 1000 / (UPLOADS + WARM)
    through, check, plain = (statistics.median(column) for column in zip(*rounds, strict=True))
    added = statistics.median(one - other - third for one, other, third in rounds)
    print(f"a form with a {len(picture) / 1e6:.1f} MB JPEG of 3 megapixels, medians of {UPLOADS}")
    print(f"  through the proxy     {through:8.1f} ms")
    print(f"  to the sidecar        {check:8.1f} ms")
    print(f"  to the application    {plain:8.1f} ms")
    print(f"  added by the proxy    {added:8.1f} ms   target 5")
    fast = [statistics.quantiles(column, n=10)[0] for column in zip(*rounds, strict=True)]
    print(f"  the fastest tenth     {fast[0] - fast[1] - fast[2]:8.1f} ms   less disturbed by other programs")
    print(f"  processor time of it  {used:8.1f} ms   an upload")


async def allow(scope: Scope, receive: Receive, send: Send) -> None:
    """A sidecar that reads the upload and allows it."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    answer = b'{"decision": "allow", "id": "%032x", "matches": []}' % 0
    fields = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": answer})


def main() -> None:
    """Prints everything."""
    with answering(allow) as sidecar, echoing() as (_, url):
        options = ("--route", "POST /upload field=photo", "--sidecar", str(sidecar.base_url))
        with proxying(url, *options) as (proxy, process), httpx.Client(base_url=url, timeout=30) as direct:
            measure(proxy, process.pid, sidecar, direct)


if __name__ == "__main__":
    main()
