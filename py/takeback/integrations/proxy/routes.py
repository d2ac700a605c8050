"""Which requests are checked, and how: the parser of `--route`, and the comparison with a request's path. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self, override
from urllib.parse import unquote

from takeback.errors import SettingsError

METHODS: Final = ("POST", "PUT", "PATCH")
"""Methods that carry an upload."""
HOW: Final = (
    "expected 'METHOD PATH HOW', such as 'POST /api/v1/media field=file', 'PUT /files/** raw' or 'POST /files tus'"
)
_FIELD: Final = "field="
_PARTS: Final = re.compile(r"\*\*|\*|[^*]+")


class RouteKind(StrEnum):
    """How a route's uploads arrive."""

    FORM = "form"
    """As files of a form, multipart/form-data."""
    RAW = "raw"
    """As the whole body."""
    TUS = "tus"
    """By tus 1.0: a POST creates an upload, PATCH requests bring its parts."""


@dataclass(frozen=True, slots=True)
class CheckedRoute:
    """A route whose uploads are checked. `fields` are names of a form's fields, in which `*` is anything."""

    method: str
    path: str
    kind: RouteKind
    fields: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `METHOD PATH field=NAME[,NAME...]`, `METHOD PATH raw` or `POST PATH tus`.

        In a path `*` is anything but `/`, and `**` is anything. Raises `SettingsError`.
        """
        parts = text.split()
        if len(parts) != 3:
            raise SettingsError(f"the route {text!r} is malformed: {HOW}")
        method, path, how = parts[0].upper(), parts[1], parts[2]
        if method not in METHODS:
            raise SettingsError(f"the route {text!r} has no upload: its method must be {', '.join(METHODS)}")
        if not path.startswith(("/", "*")) or not {"?", "#"}.isdisjoint(path):
            raise SettingsError(f"the route {text!r} must have a path that begins with /, without a query")
        kind, fields = _read_how(how, text)
        if kind is RouteKind.TUS and (method != "POST" or "*" in path):
            raise SettingsError(f"the route {text!r} must be POST and a path without *, where tus uploads are created")
        return cls(method, path, kind, fields)

    @override
    def __str__(self) -> str:
        how = _FIELD + ",".join(self.fields) if self.kind is RouteKind.FORM else self.kind.value
        return f"{self.method} {self.path} {how}"

    def takes(self, methods: frozenset[str], path: str) -> bool:
        """Returns whether a request is checked by this route; `path` is as `plain_path` gives it."""
        return self.method in methods and self.takes_path(path)

    def takes_path(self, path: str) -> bool:
        """Returns whether a plain path is this route's."""
        return _pattern(_simplified(self.path)).fullmatch(path) is not None

    def is_below(self, path: str) -> bool:
        """Returns whether a plain path lies below this route's own, as the uploads of a tus route do."""
        return path.startswith(_simplified(self.path).rstrip("/") + "/")

    def wants(self, field: str) -> bool:
        """Returns whether the files of a form's field are checked.

        As with paths, a name is taken in every way in which an application may read it: PHP writes `_` for a dot or a
        space, ASP.NET does not tell capitals apart, and `file[]` and `file[0]` are lists named `file`.
        """
        plain = field.strip().lower()
        read = {plain, plain.partition("[")[0], re.sub(r"[ .\[]", "_", plain)}
        return any(_pattern(name.lower()).fullmatch(one) is not None for name in self.fields for one in read)


def plain_path(raw: bytes) -> str:
    """Returns a request's path in the one form in which paths are compared.

    Applications differ in what they take for the same path, so that everything that any of them does is done: escapes
    are decoded, letters made small, parameters after `;`, empty parts and dots taken out. A request that is checked
    without need is passed on all the same; one that is missed is not checked.
    """
    return _simplified(unquote(raw.decode("latin-1"), errors="replace"))


def _simplified(path: str) -> str:
    kept: list[str] = []
    for part in re.split(r"[/\\]", path.lower()):
        name = part.partition(";")[0]
        if name == "..":
            del kept[-1:]
        elif name not in {"", "."}:
            kept.append(name)
    return "/" + "/".join(kept)


def _read_how(how: str, text: str) -> tuple[RouteKind, tuple[str, ...]]:
    if how in {RouteKind.RAW, RouteKind.TUS}:
        return RouteKind(how), ()
    fields = tuple(how.removeprefix(_FIELD).split(","))
    if not how.startswith(_FIELD) or not all(fields):
        raise SettingsError(f"the route {text!r} is malformed: {HOW}")
    return RouteKind.FORM, fields


def _pattern(glob: str) -> re.Pattern[str]:
    """Returns the expression for a text with `*` and `**`."""
    made = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(made.get(part) or re.escape(part) for part in _PARTS.findall(glob)), re.DOTALL)
