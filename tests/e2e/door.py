"""Files hashed at the door of the real page, without a person at it: what its own workers make of them."""

import json
from collections.abc import Sequence
from typing import Any, Final

from tests.e2e.hands import Hands
from tests.e2e.product import Registry
from tests.e2e.recorder import Answer
from tests.e2e.screens import Start

_HASH: Final = """
(async () => {
  const { createDoor } = await import("/page.js");
  const door = createDoor();
  const answers = [];
  for (const path of %s) {
    const file = new File([await (await fetch(path)).blob()], "file");
    answers.push(await door.hash(file).catch((fault) => ({ error: fault.code })));
  }
  door.close();
  return answers;
})()
"""


def hash_in_browser(hands: Hands, registry: Registry, files: Sequence[bytes]) -> list[dict[str, Any]]:
    """What is found in each file, or the code of its error."""
    Start.open(hands, registry.url).wait_until_ready()
    answers = hands.run(_HASH % json.dumps(serve(registry, files)))
    assert isinstance(answers, list)
    return answers


def serve(registry: Registry, files: Sequence[bytes]) -> list[str]:
    """Where the page can fetch each file."""
    octets = {"content-type": "application/octet-stream"}
    served = {f"/file/{number}": Answer(200, octets, data) for number, data in enumerate(files)}
    registry.recorder.extra |= served
    return list(served)
