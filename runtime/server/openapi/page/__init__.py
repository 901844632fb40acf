"""The page at `/docs`: one HTML document without anything to load, rendered from the OpenAPI document.

It is readable without its script, which filters, copies, and writes this server's address into the examples. Styles and
script stand in the page, and its security policy allows these alone.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from runtime.sse import Json

_FOLDER = Path(__file__).parent
_REFERENCE = "#/components/schemas/"
SERVER = "http://127.0.0.1:8321"
"""Stands in the examples until the script writes the address of the server that is asked."""
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "not shorter than {}",
    "maxLength": "not longer than {}",
    "minItems": "not fewer than {}",
    "maxItems": "not more than {}",
    "pattern": "matches {}",
}


@dataclass(frozen=True, kw_only=True)
class DocumentPage:
    """html: UTF-8. security_policy: for the header `content-security-policy`."""

    html: bytes
    security_policy: str


def page(document: Json, *, document_path: str) -> DocumentPage:
    """The page of a document. document_path: where the document is, relative to the page."""
    style, script = (_FOLDER / "style.css").read_text("utf-8"), (_FOLDER / "script.js").read_text("utf-8")
    environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"words": _words, "bounds": _bounds, "name": lambda ref: ref.rpartition("/")[2]}
    html = environment.get_template("page.html.j2").render(
        document=document,
        document_path=document_path,
        tags=list(_tags(document)),
        server=SERVER,
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return DocumentPage(html=html.encode(), security_policy=policy)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"


def _tags(document: Json) -> Iterator[Json]:
    """Each tag with its operations at their documented paths, each with its aliases and an example."""
    everything = [
        {**operation, "path": path, "method": method.upper()}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    for tag in document["tags"]:
        shown = [one for one in everything if tag["name"] in one["tags"] and "x-alias-of" not in one]
        for one in shown:
            one["aliases"] = [other for other in everything if other.get("x-alias-of") == one["operationId"]]
            one["body"] = _body(one, document)
            one["responses"] = {
                status: _resolved(answer, document["components"]["responses"])
                for status, answer in one["responses"].items()
            }
            one["curl"] = _curl(one)
            one["more"] = one["description"].removeprefix(one["summary"]).lstrip(". ")
        if shown:
            yield {**tag, "operations": shown}


def _resolved(answer: Json, shared: Json) -> Json:
    reference: str | None = answer.get("$ref")
    return answer if reference is None else shared[reference.rpartition("/")[2]]


def _body(operation: Json, document: Json) -> Json | None:
    """The body's content type, its schema, and an example of it."""
    if "requestBody" not in operation:
        return None
    kind, media = next(iter(operation["requestBody"]["content"].items()))
    schema = media["schema"]
    whole = document["components"]["schemas"][schema["$ref"].removeprefix(_REFERENCE)] if "$ref" in schema else schema
    return {"kind": kind, "schema": schema, "whole": whole, "example": next(iter(whole.get("examples", ())), None)}


def _curl(operation: Json) -> str:
    """A command that sends the operation, after the server's address. Names in capitals are to be replaced."""
    method, path = operation["method"], re.sub(r"{(\w+)}", lambda found: found[1].upper(), operation["path"])
    given = [one for one in operation.get("parameters", ()) if one["in"] == "query" and one["required"]]
    if given:
        path += "?" + "&".join(f"{one['name']}={one['name'].upper()}" for one in given)
    parts = [path] if method in ("GET", "POST") else [f"{path} -X {method}"]
    body = operation["body"]
    if body is None:
        return " ".join([*parts, *(["-X POST"] if method == "POST" else [])])
    if body["kind"] == "application/json":
        example = json.dumps(body["example"] or {}, ensure_ascii=False)
        parts += ["-H 'content-type: application/json'", f"-d {shlex.quote(example)}"]
    elif body["kind"] == "multipart/form-data":
        parts += [f"-F {name}={_form_value(name, body)}" for name in body["whole"].get("required", ())]
    else:
        parts.append("--data-binary @FILE")
    return " \\\n  ".join(parts)


def _form_value(name: str, body: Json) -> str:
    is_file = body["whole"]["properties"][name].get("format") == "binary"
    return "@FILE" if is_file else shlex.quote(str((body["example"] or {}).get(name, name.upper())))


def _bounds(schema: Json) -> str:
    """The limits of a value, in words; also those that stand in a member of a union."""
    kinds = [schema, *(kind for kind in schema.get("anyOf", ()) if isinstance(kind, dict))]
    found = [words.format(kind[name]) for kind in kinds for name, words in _BOUNDS.items() if name in kind]
    if schema.get("default") not in (None, [], {}):
        found.append(f"default {json.dumps(schema['default'])}")
    return ", ".join(dict.fromkeys(found))


def _words(text: Any) -> Markup:
    """A description as HTML: paragraphs, lists and `code`."""
    made = []
    for paragraph in str(escape(text)).split("\n\n"):
        lines = re.sub(r"`([^`]+)`", r"<code>\1</code>", paragraph).split("\n")
        if all(line.startswith("- ") for line in lines):
            made.append(f"<ul>{''.join(f'<li>{line[2:]}</li>' for line in lines)}</ul>")
        else:
            made.append(f"<p>{' '.join(lines)}</p>")
    return Markup("".join(made))  # noqa: S704  # escaped above
