"""The generated handlers: one per path that APIs mark. Step one of every request's way.

A handler validates the body into the method's request model once, keeps the bytes beside it, calls the API, and
hands the result to `Answer`. Nothing here knows an API by name.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from pydantic import BaseModel, ValidationError

from runtime.apis._api import Operation
from runtime.errors import RequestError
from runtime.server.answer import Answer, NoAnswer
from runtime.server.errors import invalid_request
from runtime.server.incoming import ClientLeft, Incoming
from runtime.sse import decode
from runtime.stack.stack import Stack

MAX_BODY_BYTES = 64 * 1024 * 1024

_CLIENT_VERSION = "x-llamastack-client-version"
"""What llama-stack's own clients send. Those before 0.7 take `[DONE]` for JSON, and none of them needs it."""


def handlers(stack: Stack) -> Iterable[HTTPRouteHandler]:
    """A Litestar handler for each mounted path of the stack, aliases included.

    One for all methods of a path, since Litestar's answer to OPTIONS knows only the first of several.
    """
    bound: dict[str, dict[str, _Bound]] = {}
    for name, api in stack.plan.apis.items():
        for operation in api.operations():
            for http_method, path, _ in operation.route.mounts():
                bound.setdefault(_litestar_path(path), {})[http_method] = name, operation
    for path, methods in bound.items():
        yield _handler(stack, path, methods)


_Bound = tuple[str, Operation]
"""The API that a route belongs to, and its method there."""


def _handler(stack: Stack, path: str, bound: dict[str, _Bound]) -> HTTPRouteHandler:
    if "GET" in bound:
        bound["HEAD"] = bound["GET"]

    async def handle(request: Request[Any, Any, Any]) -> Response[None]:
        api, operation = bound[request.scope["method"]]
        incoming = Incoming(request.scope, request.receive, limit=MAX_BODY_BYTES)
        try:
            asked = await _bind(operation, request, incoming)
        except ClientLeft:
            return NoAnswer()
        method = getattr(stack.api(api), operation.name)
        ends_bare = _CLIENT_VERSION in request.headers
        return Answer(lambda: method(asked), route=operation.route, incoming=incoming, ends_bare=ends_bare)

    return HTTPRouteHandler(
        path,
        http_method=list(bound),  # type: ignore[arg-type]  # our own literals, and HEAD
        include_in_schema=False,
        name=path,
        status_code=200,
    )(handle)


async def _bind(operation: Operation, request: Request[Any, Any, Any], incoming: Incoming) -> Any:
    """The request model from path, query and body. Raises RequestError naming every field that does not fit."""
    model = operation.request
    outside = _outside_body(operation, request)
    try:
        raw = await incoming.body()
        if not operation.route.has_body:
            return model.model_validate(outside)
        if not outside:
            return model.model_validate_json(raw or b"{}").came_as(raw or b"{}")
        body = _json(raw)
        for field in operation.route.path_fields:
            if field in body and body[field] != outside[field]:
                raise RequestError(f"`{field}` in the body is not the one in the path", param=field)
        return model.model_validate(body | outside).came_as(raw or b"{}")
    except ValidationError as error:
        raise invalid_request(error) from error


def _outside_body(operation: Operation, request: Request[Any, Any, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if operation.query_fields and request.scope["query_string"]:
        query = request.query_params
        for name in query:
            if name in operation.query_fields or not operation.route.has_body:
                given = query.getall(name)
                values[name] = given if len(given) > 1 or _takes_several(operation.request, name) else given[0]
    for name, value in request.path_params.items():
        values[name] = value.removeprefix("/")
    return values


def _takes_several(model: type[BaseModel], field: str) -> bool:
    """Whether a field is a list, so that one value of it in a query is a list of one."""
    known = model.model_fields.get(field)
    if known is None:
        return False
    kinds = (known.annotation, *typing.get_args(known.annotation))
    return any(typing.get_origin(kind) is list for kind in kinds)


def _json(raw: bytes) -> dict[str, Any]:
    try:
        return decode(raw or b"{}")
    except (ValueError, TypeError) as error:
        raise RequestError(f"The body is no JSON object: {error}", code="invalid_json") from error


def _litestar_path(path: str) -> str:
    """`{name}` and `{name:path}` in Litestar's words."""
    parts = [part if ":" in part or not part.startswith("{") else part[:-1] + ":str}" for part in path.split("/")]
    return "/".join(parts)
