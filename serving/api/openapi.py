"""The OpenAPI document, and a page that shows it without any script and without any other host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving.api.problems import KINDS, ProblemDocument

DESCRIPTION = """\
One answer from two layers. Every answer says where it comes from: `layer` and `publication_version` of each row, and
in `provenance` how far the speed layer is behind. A day that neither layer can answer is a problem of type
`urn:rivermeet:problem:incomplete` (409), never a smaller number; asking again does not help until what its `detail`
names has been done.

Send an API key as `Authorization: Bearer <key>` or in `X-API-Key`. Times are UTC; money is in minor units."""

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "code,pre{font:13px/1.45 ui-monospace,monospace;background:#f3f4f6;border-radius:4px}code{padding:.1em .3em}"
    "pre{padding:.8rem;overflow:auto}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #d9dce1}"
    "summary{cursor:pointer}h2{margin-top:2.5rem}.m{color:#0a5}"
)
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(problem.pop("$defs", {}))
        schemas[ProblemDocument.__name__] = problem
        app.openapi_schema = made
    return app.openapi_schema


def page(openapi: Mapping[str, Any]) -> str:
    """The document as HTML."""
    operations = "".join(_operation(path, method, found) for path, method, found in _operations(openapi))
    problems = "".join(
        f'<tr id="{escape(kind.name)}"><td><code>{escape(kind.type)}</code></td><td>{kind.status.value}</td>'
        f"<td>{escape(kind.title)}</td></tr>"
        for kind in KINDS
    )
    schemas = "".join(_schema(name, found) for name, found in sorted(openapi["components"]["schemas"].items()))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(openapi["info"]["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(openapi['info']['title'])}</h1>{_paragraphs(openapi['info'].get('description', ''))}"
        f'<p><a href="/openapi.json">OpenAPI document</a></p><h2>Paths</h2>{operations}'
        f"<h2>Problems</h2><table><tr><th>type</th><th>status</th><th>meaning</th></tr>{problems}</table>"
        f"<h2>Schemas</h2>{schemas}</body></html>"
    )


def _operations(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(_parameter(parameter) for parameter in operation.get("parameters", []))
    head = "<tr><th>parameter</th><th>in</th><th>values</th><th>meaning</th></tr>"
    table = f"<table>{head}{rows}</table>" if rows else ""
    answers = "".join(
        f"<li>{escape(status)}: {escape(answer['description'])}{_answer_link(answer)}</li>"
        for status, answer in sorted(operation["responses"].items())
    )
    return (
        f'<details><summary><b class="m">{method}</b> <code>{escape(path)}</code> '
        f"{escape(operation.get('summary', ''))}</summary>{_paragraphs(operation.get('description', ''))}"
        f"{table}<ul>{answers}</ul></details>"
    )


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    options = next((one for one in schema.get("anyOf", []) if one.get("type") != "null"), schema)
    facts = {key: options[key] for key in options if key not in ("title", "description", "examples")}
    required = " (required)" if parameter.get("required") else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code>{required}</td><td>{escape(parameter['in'])}</td>"
        f"<td>{escape(', '.join(f'{key} {value}' for key, value in facts.items()))}</td>"
        f"<td>{escape(parameter.get('description', ''))}</td></tr>"
    )


def _answer_link(answer: Mapping[str, Any]) -> str:
    content: Mapping[str, Any] = next(iter(answer.get("content", {}).values()), {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return f' <a href="#schema-{escape(name)}">{escape(name)}</a>' if name else ""


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{escape(_type(found))}</td>"
        f"<td>{escape(found.get('description', ''))}</td></tr>"
        for field, found in schema.get("properties", {}).items()
    )
    examples = "".join(f"<pre>{escape(json.dumps(example, indent=2))}</pre>" for example in schema.get("examples", []))
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{_paragraphs(schema.get('description', ''))}<table>{rows}</table>{examples}</details>"
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    inner = f" of {_type(schema['items'])}" if "items" in schema else ""
    return f"{schema.get('format') or schema.get('type', 'any')}{inner}"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part)
