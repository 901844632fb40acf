"""Builds an API method's request model from path, query and body.

Fields in the path come from there; the other fields come from the query for GET and DELETE, and else from the body:
JSON, a form, either of them, or bytes, as the route declares. An invalid field is a RequestError that names it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from runtime.apis._api import Operation
from runtime.apis._carriers import Upload
from runtime.errors import RequestError
from runtime.parsing.amounts import BULK, USUAL
from runtime.parsing.requests import request_from, validated
from runtime.server.content import decompressed, refuse_compressed, utf8
from runtime.server.fields import NOT_UTF8, URLENCODED, nested, urlencoded
from runtime.server.incoming import Incoming

if TYPE_CHECKING:
    from runtime.server.forms import CheckUpload

_NOT_IN_NAMES = re.compile(f"[\x00-\x1f\x7f{NOT_UTF8}]")


class Bind(Protocol):
    """Builds the request model of one request. path: the fields in the path. query: as it was sent.

    Raises RequestError with every invalid field, TooLarge and UnsupportedMedia for the body, ClientLeft if the body
    does not arrive.
    """

    def __call__(self, path: Mapping[str, str], query: bytes, incoming: Incoming) -> Awaitable[Any]: ...


def binder(operation: Operation, check_upload: CheckUpload) -> Bind:
    """The function that binds the requests of an operation."""
    if not operation.route.has_body:
        return partial(_without_body, operation)
    if operation.route.body == "form":
        return partial(_form_body, operation, check_upload)
    return partial({"json": _json_body, "bytes": _bytes_body}[operation.route.body], operation)


async def _without_body(operation: Operation, path: Mapping[str, str], query: bytes, incoming: Incoming) -> Any:
    await incoming.skip()
    return validated(operation.request, _outside_body(operation, path, query) if path or query else {})


async def _json_body(operation: Operation, path: Mapping[str, str], query: bytes, incoming: Incoming) -> Any:
    """The model keeps the bytes of the body (`with_raw`)."""
    model = operation.request
    outside = _outside_body(operation, path, query) if path or query else {}
    raw = await incoming.body()
    kind = incoming.headers.get(b"content-type", b"")
    if raw and b"content-encoding" in incoming.headers:
        raw = await decompressed(raw, incoming.headers[b"content-encoding"], limit=incoming.limit)
    is_usual = kind == b"application/json" and raw.startswith(b'{"')  # nearly always, and pydantic checks the rest
    if not is_usual:
        if operation.route.takes_form and _is_form(raw, kind):
            return _from_form(model, path, outside, urlencoded(raw, model), is_whole=True)
        raw = utf8(raw, kind) or b"{}"
    complete = partial(_completed, path, outside) if outside else None
    return await request_from(model, raw, kind=kind, most=BULK if operation.route.is_bulk else USUAL, complete=complete)


def _completed(path: Mapping[str, str], outside: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    _agree(body, path, "body")
    return body | outside


def _is_form(raw: bytes, kind: bytes) -> bool:
    """Whether it is the form that it says it is: `curl -d` says that of JSON too."""
    named = kind.decode("latin-1").partition(";")[0].strip().lower()
    return named == URLENCODED and raw.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] not in (b"", b"{", b"[")


async def _form_body(
    operation: Operation, check_upload: CheckUpload, path: Mapping[str, str], query: bytes, incoming: Incoming
) -> Any:
    outside = _outside_body(operation, path, query)
    refuse_compressed(incoming.headers)
    from runtime.server.forms import read_form  # not above: many programs with a stack as a library have no forms

    return await read_form(operation, incoming, partial(_from_form, operation.request, path, outside), check_upload)


async def _bytes_body(operation: Operation, path: Mapping[str, str], query: bytes, incoming: Incoming) -> Any:
    outside = _outside_body(operation, path, query)
    refuse_compressed(incoming.headers)
    kind = incoming.headers.get(b"content-type", b"").decode("latin-1")
    upload = Upload(incoming.chunks(), content_type=kind, size_bytes=incoming.announced_bytes)
    return validated(operation.request, {**outside, operation.upload_fields[0]: upload})


def _from_form(
    model: type[BaseModel], path: Mapping[str, str], outside: dict[str, Any], form: dict[str, Any], *, is_whole: bool
) -> Any:
    """The request of a form; None if fields are missing that may still arrive."""
    _agree(form, path, "form")
    try:
        return model.model_validate(form | outside)
    except ValidationError as error:
        if not is_whole and all(one["type"] == "missing" for one in error.errors()):
            return None
        from runtime.invalid.in_json import invalid_request  # not above: a start does without

        raise invalid_request(error, model, form | outside) from error


def _outside_body(operation: Operation, path: Mapping[str, str], query: bytes) -> dict[str, Any]:
    """The fields of path and query."""
    values = _in_query(operation, query) if query and operation.query_fields else {}
    _agree(values, path, "query")
    for name, value in path.items():
        if _NOT_IN_NAMES.search(value):
            raise RequestError(
                f"`{name}` in the path contains characters that are not allowed in a name",
                param=name,
                code="invalid_value",
            )
        values[name] = value
    return values


def _in_query(operation: Operation, query: bytes) -> dict[str, Any]:
    """Fields of the query. If there is a body, unknown names in the query (some clients send `api-version`) are
    ignored.
    """
    given = parse_qsl(query.decode(errors="replace"), keep_blank_values=True)
    if operation.route.has_body:
        given = [(key, value) for key, value in given if key.partition("[")[0] in operation.query_fields]
    return nested(given, operation.request, "query")


def _agree(values: Mapping[str, Any], path: Mapping[str, str], place: str) -> None:
    """Raises RequestError if a field in the path has another value elsewhere."""
    for name, value in path.items():
        if name in values and values[name] != value:
            raise RequestError(
                f"`{name}` in the {place} differs from the one in the path", param=name, code="invalid_value"
            )
