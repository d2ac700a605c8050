"""The response headers, defined once: the server sends them, and `nginx.py` prints them for a proxy.

Each kind of answer may do only what it needs. A worker is sealed because it obeys the policy of the response with its
script; see "Response headers" in SECURITY.md.
"""

from base64 import b64encode
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Final

HSTS: Final = ("strict-transport-security", "max-age=63072000; includeSubDomains")
"""Two years, more than browsers' preload lists require; sent only if people reach the site over TLS (RFC 6797)."""

DOCS_STYLE: Final = """
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow:auto;border:1px solid #8886;padding:.75rem}
section{border-top:1px solid #8886;margin-top:2rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;
text-align:left;vertical-align:top}.wide{overflow:auto;white-space:nowrap}
.wide td:first-child{white-space:normal;min-width:10rem}figure{margin:1rem 0}
svg{width:100%;height:5rem;border-bottom:1px solid #8886;opacity:.7}
"""
"""The only inline style; the policy has its digest."""

type Headers = tuple[tuple[str, str], ...]


class ResponseKind(StrEnum):
    """The kind of an answer, which determines its headers."""

    PAGE = "page"
    WORKER = "worker"
    KEEPER = "keeper"
    LEAVE = "leave"
    STATIC = "static"
    API = "api"
    DOCS = "docs"


WORKERS: Final = frozenset({"/worker.js", "/video.js"})
"""The sealed workers' scripts: one for pictures, one for videos."""
KEEPER: Final = "/keeper.js"
"""The service worker's script, which caches the page's files for a person who asked for it."""
LEAVE: Final = "/leave.txt"
"""The file requested when a person leaves quickly; its headers make the browser clear the site's data."""

_FEATURES: Final = (
    "accelerometer", "autoplay", "bluetooth", "browsing-topics", "camera", "compute-pressure", "display-capture",
    "encrypted-media", "fullscreen", "gamepad", "geolocation", "gyroscope", "hid", "identity-credentials-get",
    "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture",
    "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb", "web-share",
    "window-management", "xr-spatial-tracking",
)  # fmt: skip
_ALLOWED: Final = ("clipboard-write",)
"""Writing is for copying the receipt; pasting a picture needs no permission."""

_EVERYWHERE: Final[Headers] = (
    ("cache-control", "no-store"),  # so that a shared device keeps no trace
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        ", ".join([*(f"{feature}=()" for feature in _FEATURES), *(f"{feature}=(self)" for feature in _ALLOWED)]),
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)

_NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE_POLICY: Final = (
    f"{_NOTHING}; connect-src 'self'; img-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "worker-src 'self'; require-trusted-types-for 'script'; trusted-types takeback"
)
"""Firefox requires `wasm-unsafe-eval` for a page to receive a compiled module from its worker.

It has no `webrtc 'block'`: Chromium 156 and Firefox ESR 153 ignore it, and Chromium logs an error to the console.
"""


def _docs_policy() -> str:
    digest = b64encode(sha256(DOCS_STYLE.encode()).digest()).decode()
    return f"{_NOTHING}; style-src 'sha256-{digest}'"


_OF_KIND: Final = MappingProxyType(
    {
        ResponseKind.PAGE: (
            ("content-security-policy", _PAGE_POLICY),
            # No script runs whose tag has no hash to check it by.
            ("integrity-policy", "blocked-destinations=(script)"),
        ),
        ResponseKind.WORKER: (("content-security-policy", "default-src 'none'; script-src 'wasm-unsafe-eval'"),),
        ResponseKind.KEEPER: (("content-security-policy", f"{_NOTHING}; connect-src 'self'"),),
        ResponseKind.LEAVE: (
            ("content-security-policy", _NOTHING),
            ("clear-site-data", '"cache", "cookies", "storage"'),
        ),
        ResponseKind.STATIC: (("content-security-policy", _NOTHING),),
        ResponseKind.API: (("content-security-policy", _NOTHING),),
        ResponseKind.DOCS: (("content-security-policy", _docs_policy()),),
    }
)


def headers_for(kind: ResponseKind, *, tls: bool) -> Headers:
    """The headers of an answer of this `kind`, besides its content type and length."""
    return (*_EVERYWHERE, *_OF_KIND[kind], *((HSTS,) if tls else ()))


_OF_PATH: Final = MappingProxyType(
    {
        "/": ResponseKind.PAGE,
        "/index.html": ResponseKind.PAGE,
        KEEPER: ResponseKind.KEEPER,
        LEAVE: ResponseKind.LEAVE,
        "/docs": ResponseKind.DOCS,
        "/operator": ResponseKind.DOCS,
        "/v1": ResponseKind.API,
        "/healthz": ResponseKind.API,
        "/readyz": ResponseKind.API,
        "/metrics": ResponseKind.API,
        **dict.fromkeys(WORKERS, ResponseKind.WORKER),
    }
)


def kind_of(path: str) -> ResponseKind:
    """The kind of the answer at a path."""
    path = path.rstrip("/") or "/"
    below = ResponseKind.API if path.startswith(("/v1/", "/docs/", "/ncmec/", "/stopncii/")) else ResponseKind.STATIC
    return _OF_PATH.get(path, below)
