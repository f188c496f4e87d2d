"""The description of the server in OpenAPI, for programs and for people."""

from __future__ import annotations

import html
import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    text = (resources.files("recognizer.serving") / "openapi.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@cache
def description_page() -> str:
    """The document as a page that needs nothing from elsewhere."""
    document = description()
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(
        f"<h3 id='{name}'>{name}</h3>{_properties(schema)}"
        for name, schema in document["components"]["schemas"].items()
    )
    info = document["info"]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(info['title'])}: the paths</title>"
        "<link rel='stylesheet' href='/page/page.css'></head><body><main>"
        f"<h1>{html.escape(info['title'])}: the paths</h1>"
        f"<p>{html.escape(info['description'])} "
        "As an <a href='/openapi.json'>OpenAPI document</a>.</p>"
        f"{operations}<h2>Objects</h2>{schemas}</main></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    text = html.escape(operation.get("description", ""))
    forms = operation.get("requestBody", {}).get("content", {})
    fields = "".join(_properties(_resolved(form["schema"])) for form in forms.values())
    answers = "".join(
        f"<li>{status}: {_answer(answer)}</li>" for status, answer in operation["responses"].items()
    )
    return (
        f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"
        f"<p><strong>{html.escape(operation['summary'])}.</strong> {text}</p>"
        f"{fields}<ul>{answers}</ul>"
    )


def _answer(answer: dict[str, Any]) -> str:
    answer = _resolved(answer)
    types = ", ".join(answer.get("content", {}))
    return html.escape(answer["description"]) + (f" <code>{types}</code>" if types else "")


def _properties(schema: dict[str, Any]) -> str:
    """A table of an object's fields."""
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code></td>"
        f"<td>{_type(field)}{'' if name in required else ', optional'}</td>"
        f"<td>{html.escape(field.get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    note = html.escape(schema.get("description", ""))
    return f"<p>{note}</p><table>{rows}</table>"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"<a href='#{name}'>{name}</a>"
    if "enum" in field or "const" in field:
        values = field.get("enum", [field.get("const")])
        return " or ".join(f"<code>{html.escape(json.dumps(value))}</code>" for value in values)
    kind = field.get("type", "any")
    if kind == "array":
        return f"list of {_type(field['items'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a reference within the document stands for."""
    if "$ref" not in part:
        return part
    found: Any = description()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    resolved: dict[str, Any] = found
    return resolved
