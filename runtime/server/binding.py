"""From path, query and body to an API method's request model.

Path fields come from the path, the rest of a GET or DELETE from the query, of anything else from the body. Whatever
does not fit is a RequestError that names it.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from litestar import Request
from pydantic import BaseModel, ValidationError

from runtime.apis._api import Operation
from runtime.errors import RequestError
from runtime.server.content import json_object, unpacked, utf8
from runtime.server.errors import invalid_request
from runtime.server.incoming import Incoming

_NOT_UTF8 = "\ufffd"
"""What decoding puts in the place of bytes that are no UTF-8."""
_SLASHES = re.compile("/+")
_NO_NAME = re.compile(f"[\x00-\x1f\x7f{_NOT_UTF8}]")


async def bind(operation: Operation, request: Request[Any, Any, Any], incoming: Incoming) -> Any:
    """The request model, with the body's bytes beside it. Raises RequestError naming every field that does not fit."""
    model, outside = operation.request, _outside_body(operation, request)
    raw = await incoming.body()
    if not operation.route.has_body:
        return _validated(model, outside)
    kind = incoming.headers.get(b"content-type", b"")
    if raw and b"content-encoding" in incoming.headers:
        raw = await unpacked(raw, incoming.headers[b"content-encoding"], limit=incoming.limit)
    raw = utf8(raw, kind) or b"{}"
    if outside:
        body = json_object(raw, kind)
        _agree(body, _in_path(request), "body")
        return _validated(model, body | outside).with_raw(raw)
    try:
        return model.model_validate_json(raw).with_raw(raw)
    except ValidationError as error:
        raise invalid_request(error, json_object(raw, kind)) from error


def _validated(model: type[BaseModel], given: dict[str, Any]) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid_request(error, given) from error


def _outside_body(operation: Operation, request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The fields from path and query."""
    query = request.scope["query_string"]
    values = _in_query(operation, query) if query and operation.query_fields else {}
    in_path = _in_path(request)
    _agree(values, in_path, "query")
    for name, value in in_path.items():
        if _NO_NAME.search(value):
            raise RequestError(f"`{name}` in the path holds what no name holds", param=name, code="invalid_value")
        values[name] = value
    return values


def _in_path(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Fields of the path. One that may hold slashes keeps all of its own: Litestar makes one of several in a row, and
    some servers call a model by its absolute path (`vllm//srv/models/llama`).
    """
    found: dict[str, str] = request.path_params
    for name, value in found.items():
        if value.startswith("/"):  # as one does that may hold more of them, and stands last
            sent = unquote(request.scope["raw_path"].decode("latin-1")).rstrip("/")
            if "//" in sent:
                value = sent[[run.start() for run in _SLASHES.finditer(sent)][-value.count("/")] :]
            return found | {name: value.removeprefix("/")}
    return found


def _in_query(operation: Operation, query: bytes) -> dict[str, Any]:
    """Fields of the query; `name[]` is `name`, once for each of several values. Where there is a body, what the query
    alone knows (`api-version` of some clients) is passed over.
    """
    found: dict[str, list[str]] = {}
    for key, value in parse_qsl(query.decode(errors="replace"), keep_blank_values=True):
        name = key.removesuffix("[]")
        if operation.route.has_body and name not in operation.query_fields:
            continue
        if _NOT_UTF8 in key or _NOT_UTF8 in value:
            raise RequestError(f"`{name}` in the query is not UTF-8", param=name, code="invalid_value")
        found.setdefault(name, []).append(value)
    model = operation.request
    return {name: given if len(given) > 1 or _takes_several(model, name) else given[0] for name, given in found.items()}


def _agree(values: Mapping[str, Any], path: Mapping[str, str], place: str) -> None:
    """Raises RequestError where a field is in the path and otherwise elsewhere."""
    for name, value in path.items():
        if name in values and values[name] != value:
            raise RequestError(f"`{name}` in the {place} is not the one in the path", param=name, code="invalid_value")


@lru_cache(512)
def _takes_several(model: type[BaseModel], field: str) -> bool:
    """Whether a field is a list, so that one value of it in a query is a list of one."""
    known = model.model_fields.get(field)
    if known is None:
        return False
    kinds = (known.annotation, *typing.get_args(known.annotation))
    return any(typing.get_origin(kind) is list for kind in kinds)
