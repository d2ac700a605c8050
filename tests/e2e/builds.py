"""Other builds of the page than the one that is tested: served by the recorder in its place."""

import re
from hashlib import sha256

from takeback.registry.http.response_headers import headers_for, kind_of
from tests.e2e.product import DIST
from tests.e2e.recorder import Answer

_SCRIPT = "text/javascript; charset=utf-8"


def build_with(path: str, content: bytes, content_type: str = _SCRIPT) -> dict[str, Answer]:
    """The answers of a build whose file at `path` is another: the file, and the service worker that names its hash."""
    listed = re.compile(rf'(\["{re.escape(path)}",")[0-9a-f]{{64}}')
    keeper, count = listed.subn(rf"\g<1>{sha256(content).hexdigest()}", (DIST / "keeper.js").read_text())
    assert count == 1, path
    keeper = keeper.replace('STORE="', 'STORE="other-')
    return {
        path: _answer(path, content, content_type),
        "/keeper.js": _answer("/keeper.js", keeper.encode(), _SCRIPT),
    }


def _answer(path: str, content: bytes, content_type: str) -> Answer:
    """What the registry would answer."""
    return Answer(200, {"content-type": content_type, **dict(headers_for(kind_of(path), tls=False))}, content)
