"""Gates in JavaScript: what their methods give, and a service that records what it is asked."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import Answer, Request
from tests.lookup.services import Service

COPY: Final = jpeg(drawing(1).resize((400, 300)), 70)
OTHER: Final = jpeg(drawing(2))
KEY: Final = "tbl_" + "0" * 16 + "_" + "1" * 64

type Calls = Sequence[tuple[object, ...]]
type Answers = list[Any]


def told(packages: Path, address: str, key: str, calls: Calls, **options: object) -> tuple[Answers, str]:
    """What a gate with these options answers to calls of its methods, and all output of its process."""
    asked = json.dumps({"address": address, "key": key, "options": options, "calls": calls})
    command = ["node", "lookup.mjs", asked]
    environ = {**os.environ, "SECRET": "of the server"}
    done = subprocess.run(command, cwd=packages, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["answers"], done.stdout + done.stderr


def answers(packages: Path, service: Service, calls: Calls, **options: object) -> Answers:
    """What the service's gate answers."""
    return told(packages, service.address, service.key, calls, **options)[0]


def saved(folder: Path, *uploads: bytes) -> list[str]:
    """The paths of files with this content."""
    paths = [folder / sha256(data).hexdigest()[:16] for data in uploads]
    for path, data in zip(paths, uploads, strict=True):
        path.write_bytes(data)
    return list(map(str, paths))


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def recording(sent: list[dict[str, Any]]) -> Callable[[Request], Answer]:
    """Allows everything, and adds an item to `sent` for each prefix: the question that followed, if one did."""

    def answer(request: Request) -> Answer:
        if request.method == "GET":
            sent.append({})
            return Answer(b'{"suffixes": []}')
        sent[-1].update(json.loads(request.body))
        return Answer(b'{"decision": "allow", "id": "AAAA"}')

    return answer
