"""An nginx configuration for the site: serves the page's files, proxies the API, and sends the same headers."""

from dataclasses import dataclass
from typing import Final

from takeback import protocol
from takeback.errors import SettingsError
from takeback.registry.http.response_headers import ResponseKind, headers_for
from takeback.registry.http.static_files import TYPES
from takeback.registry.operations.systemd import LOOPBACK
from takeback.registry.settings import RegistrySettings


@dataclass(frozen=True, slots=True)
class Tls:
    """The paths of the certificate chain and its private key."""

    certificate: str
    key: str


_MAX_BODY_BYTES: Final = 2 * protocol.MAX_BODY_BYTES
"""The size above which nginx refuses a body; below it the registry does, and says which rule it breaks."""
_WORDS_APART: Final = frozenset(" \t\n\"'\\{};$")

_TEMPLATE: Final = """\
# The site {name}. Put this into the http block: /etc/nginx/conf.d/takeback.conf
# brotli_static needs the module in Debian's package libnginx-mod-http-brotli-static; without it, remove that line.
# Nothing is logged, because an access log, and nginx's error log too, would contain people's addresses.
# limit_req counts addresses in memory only; its burst leaves room for a school behind one address.
# The registry must trust this nginx about the senders of requests, so set: TAKEBACK_PROXIES={proxy}

limit_req_zone $binary_remote_addr zone=takeback_cases:4m rate=10r/s;

server {{
    listen 80;
    listen [::]:80;
    server_name {name};
    access_log off;
    error_log /var/log/nginx/takeback.log emerg;
    return 308 https://$host$request_uri;
}}

server {{
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name {name};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets off;
    server_tokens off;
    access_log off;
    error_log /var/log/nginx/takeback.log emerg;

    root {page};
    default_type application/octet-stream;
    types {{
{types}
    }}
    etag off;
    if_modified_since off;
    max_ranges 0;
    gzip_static on;
    gzip_vary on;
    brotli_static on;
    client_max_body_size {body};
    error_page 405 = @registry;
    error_page 413 = @too_large;

    location = / {{
        rewrite ^ /index.html last;
    }}
    location = /index.html {{
        try_files $uri @registry;
{page_headers}
    }}
    location ~ ^/(worker|video)\\.js$ {{
        try_files $uri @registry;
{worker_headers}
    }}
    location = /keeper.js {{
        try_files $uri @registry;
{keeper_headers}
    }}
    location = /leave.txt {{
        try_files $uri @registry;
{leave_headers}
    }}
    location / {{
        try_files $uri @registry;
{static_headers}
    }}
    location ~ \\.(br|gz)$ {{
        proxy_pass {registry};
    }}
    location ~ ^/v1/(cases|work|platforms) {{
        limit_req zone=takeback_cases burst=100 nodelay;
        limit_req_status 429;
        error_page 413 = @too_large;
        error_page 429 = @too_many;
        proxy_set_header Host $host;
        proxy_set_header Connection "";
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_pass {registry};
    }}
    location /v1/ {{
        proxy_pass {registry};
    }}
    location ~ ^/(healthz|readyz)$ {{
        proxy_pass {registry};
    }}
    location ~ ^/(metrics|operator)$ {{
        return 404;
    }}
    location /docs {{
        proxy_pass {registry};
    }}
    location = /.well-known/security.txt {{
        proxy_pass {registry};
    }}
    location @registry {{
        proxy_pass {registry};
    }}
    location @too_large {{
        default_type application/problem+json;
{api_headers}
        return 413 '{too_large}';
    }}

    location @too_many {{
        default_type application/problem+json;
{api_headers}
        add_header retry-after 5 always;
        return 429 '{too_many}';
    }}

    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For "";
    proxy_request_buffering on;
}}
"""


def configuration(settings: RegistrySettings, name: str, tls: Tls) -> str:
    """The configuration for the site `name`.

    Raises `SettingsError` if there is no page, or a value has characters that nginx would misread.
    """
    if settings.page is None:
        raise SettingsError("name the folder of the built page: --page FOLDER")
    page = str(settings.page.absolute())
    for value in (name, page, tls.certificate, tls.key, settings.host):
        if not value or _WORDS_APART.intersection(value):
            raise SettingsError(
                f"{value!r} cannot be used in an nginx configuration; choose one without spaces or quotes"
            )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    too_large = protocol.Problem("urn:takeback:problem:too-large", "The message is too large", 413)
    too_many = protocol.Problem("urn:takeback:problem:too-many-requests", "Too many requests from one address", 429)
    return _TEMPLATE.format(
        name=name,
        certificate=tls.certificate,
        key=tls.key,
        page=page,
        body=_MAX_BODY_BYTES,
        proxy=_proxy(settings),
        registry=f"http://{host}:{settings.port}",
        types=_types(),
        too_large=protocol.encode(too_large).decode(),
        too_many=protocol.encode(too_many).decode(),
        **{f"{kind}_headers": _headers(kind) for kind in ResponseKind if kind is not ResponseKind.DOCS},
    )


def _proxy(settings: RegistrySettings) -> str:
    """The value of TAKEBACK_PROXIES: the address of this nginx as the registry sees it."""
    if settings.proxies:
        return ",".join(map(str, settings.proxies))
    return settings.host if settings.host in LOOPBACK else "ADDRESS-OF-THIS-MACHINE"


def _headers(kind: ResponseKind) -> str:
    """The lines for one kind of answer; nginx's `Last-Modified` is removed, since nothing may be cached."""
    headers = (*headers_for(kind, tls=True), ("last-modified", ""))
    quoted = [(name, value.replace('"', r"\"")) for name, value in headers]
    return "\n".join(f'        add_header {name} "{value}" always;' for name, value in quoted)


def _types() -> str:
    return "\n".join(f'        "{content_type}" {ending.removeprefix(".")};' for ending, content_type in TYPES.items())
