"""`/openapi.json` and `/docs`: made at the first request, in a thread, and kept as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send

from runtime.server.doors import Doors
from runtime.sse import Json, encode
from runtime.stack.plan import Plan

DOCUMENT_PATH, PAGE_PATH = "/openapi.json", "/docs"


@dataclass(frozen=True, kw_only=True)
class _Content:
    """What is sent. security_policy: the page's, None for data."""

    kind: str
    data: bytes
    security_policy: str | None = None


def document_handlers(plan: Plan, doors: Doors) -> Iterator[HTTPRouteHandler]:
    """The handlers of both paths. They import what they need when they are asked: most servers never are."""

    @cache
    def document() -> Json:
        from runtime.server.openapi.document import document

        return document(plan, doors)

    @cache
    def data() -> _Content:
        return _Content(kind="application/json", data=encode(document()))

    @cache
    def page() -> _Content:
        from runtime.server.openapi.page import page

        made = page(document(), document_path=DOCUMENT_PATH.lstrip("/"))
        return _Content(kind="text/html; charset=utf-8", data=made.html, security_policy=made.security_policy)

    yield _handler(DOCUMENT_PATH, data)
    yield _handler(PAGE_PATH, page)


def _handler(path: str, make: Callable[[], _Content]) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[None]:
        content = await asyncio.to_thread(make)
        return _Page(content, known=request.headers.get("if-none-match", ""))

    return HTTPRouteHandler(
        path,
        http_method=["GET", "HEAD"],
        include_in_schema=False,
        name=path,
        status_code=200,
    )(handle)


class _Page(Response[None]):
    """A whole body that a client may keep as long as it asks whether it has changed. known: the `etag` that it has."""

    def __init__(self, content: _Content, *, known: str) -> None:
        super().__init__(content=None)
        self._content = content
        self._known = known

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> Any:
        return self.serve

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        data = self._content.data
        etag = f'"{sha256(data).hexdigest()[:32]}"'
        headers = [(b"etag", etag.encode()), (b"cache-control", b"no-cache"), (b"x-content-type-options", b"nosniff")]
        if self._content.security_policy:
            headers.append((b"content-security-policy", self._content.security_policy.encode()))
        if etag in self._known:
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            data = b""
        else:
            headers += [(b"content-type", self._content.kind.encode()), (b"content-length", b"%d" % len(data))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data, "more_body": False})
