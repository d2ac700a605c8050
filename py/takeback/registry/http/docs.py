"""`/docs`: the OpenAPI document as a plain page, without scripts or third parties."""

import json
from functools import cache
from html import escape
from typing import Any, Final

from takeback.registry.http import openapi
from takeback.registry.http.response_headers import DOCS_STYLE

_INTRODUCTION: Final = f"""<h1>Takeback registry</h1>
<p>The page sends the fingerprints of a person's pictures and gets a case. Platforms follow the feed and report back.
Every message is strict JSON, and every error is <code>application/problem+json</code> that names the field.
For programs: <a href="{openapi.DOCUMENT}">the OpenAPI document</a>.</p>"""


@cache
def page() -> bytes:
    """The page as HTML."""
    document = openapi.document()
    sections = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    return html("".join([_INTRODUCTION, *sections, "<h2>Messages</h2>", *schemas]))


def html(body: str) -> bytes:
    """A plain HTML page with this `body`."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Takeback registry</title>'
        f"<style>{DOCS_STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{body}</main></body></html>\n'.encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2>", f"<p>{_prose(operation['summary'])}.</p>"]
    if "security" in operation:
        parts.append("<p>Header <code>Authorization: Bearer KEY</code> with a platform's key.</p>")
    if operation["parameters"]:
        rows = [(f"{one['name']} ({one['in']})", one["description"], one["schema"]) for one in operation["parameters"]]
        parts.append(_table(("Parameter", "Meaning", "Form"), [(n, d, _form(s)) for n, d, s in rows]))
    if "requestBody" in operation:
        parts.append(f"<p>Takes {_message(operation['requestBody'])}.</p>")
    answers = [(s, a["description"], _message(a)) for s, a in operation["responses"].items()]
    parts.append(_table(("Answer", "When", "Message"), answers))
    return f"<section>{''.join(parts)}</section>"


def _table(titles: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    body = "".join(
        f"<tr><td><code>{escape(first)}</code></td><td>{_prose(text)}</td><td>{last}</td></tr>"
        for first, text, last in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _message(holder: dict[str, Any]) -> str:
    schema = next(iter(holder.get("content", {"": {"schema": {}}}).values()))["schema"]
    if "$ref" not in schema:
        return "bytes" if schema else ""
    name = schema["$ref"].rsplit("/", 1)[1]
    return f'<a href="#{name}">{name}</a>'


def _form(schema: dict[str, Any]) -> str:
    if "pattern" in schema:
        return f"<code>{escape(schema['pattern'])}</code>"
    if "minimum" not in schema:
        return "text"
    return f"{schema['minimum']} to {schema['maximum']}"


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = escape(json.dumps(schema, indent=1))
    return f'<section><h3 id="{name}">{name}</h3><pre>{text}</pre></section>'


def _prose(text: str) -> str:
    """HTML of a text, in which backticks mark code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
