"""A vendor at wire level: a local server that checks requests as OpenAI documents them, answers so, fails on demand.

What it says is made from the request alone, so the same request has the same answer. Knows nothing of our code. Another
vendor is other `Habits`, and where data cannot say it a class that overrides `endpoints`, `endpoint_at`, `listed`,
`knows`, `allows` or `read`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.field_types import check_types
from runtime.conformance.upstream.texts import completion, embeddings, rerank
from runtime.conformance.upstream.wire import (
    CHAT_MODEL,
    CREATED,
    EMBEDDING_MODEL,
    OPENAI,
    RERANK_MODEL,
    Answer,
    Habits,
    Refused,
    refusal,
    started_stream,
)

__all__ = [
    "Answer", "CHAT_MODEL", "EMBEDDING_MODEL", "Endpoint", "Habits", "Misbehaviour", "OPENAI", "RERANK_MODEL",
    "Refused", "Seen", "Upstream", "refusal", "started_stream", "upstream_server",
]  # fmt: skip

Misbehaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]
Endpoint = Callable[[dict[str, Any], Habits], Answer]
"""Makes an answer of a request's body. Raises Refused."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it came. query: what follows the `?`."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    raw: bytes

    def json(self) -> Any:
        return json.loads(self.raw)


class Upstream:
    """url: where it listens, version path included. seen: every request, in order. key: the only one that is accepted,
    if any.

    misbehaves: answers in place of what is documented, while it is set. gate: while it is not set, streams wait after
    their first event. ended_early: set when a client left before its answer was whole. connections: those it was asked
    over.
    """

    def __init__(self, habits: Habits = OPENAI) -> None:
        self.habits = habits
        self.url = ""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was asked, and what a test has changed, for one that comes after it."""
        self.key: str | None = None
        self.seen: list[Seen] = []
        self.models: list[str] = [CHAT_MODEL, EMBEDDING_MODEL]
        self.misbehaves: Misbehaviour | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting_at_gate = asyncio.Event()
        self.ended_early = asyncio.Event()
        self.connections: set[tuple[str, int]] = set()

    def calls(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.endswith(path)]

    def endpoints(self) -> Mapping[str, Endpoint]:
        """What answers a POST, by path below the root."""
        return {"/chat/completions": chat, "/completions": completion, "/embeddings": embeddings, "/rerank": rerank}

    def endpoint_at(self, path: str) -> Endpoint | None:
        """What answers a POST at a whole path."""
        root = self.habits.root
        return self.endpoints().get(path.removeprefix(root)) if path.startswith(root) else None

    def knows(self, body: dict[str, Any]) -> bool:
        """Whether a request names a model that there is."""
        return body.get("model") in self.models

    def read(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A request's body in OpenAI's form, for a vendor that has another one."""
        return body

    def listed(self) -> Any:
        """The body of `GET /models`."""
        models = [{"id": name, "object": "model", "created": CREATED, "owned_by": "vendor"} for name in self.models]
        return models if self.habits.listing == "array" else {"object": "list", "data": models}

    def allows(self, request: web.Request) -> bool:
        """Whether the request has the key, where one is wanted."""
        return self.key is None or request.headers.get(self.habits.key_header) == f"{self.habits.key_prefix}{self.key}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        self.seen.append(
            Seen(method=request.method, path=request.path, query=request.query_string, headers=request.headers, raw=raw)
        )
        try:
            if self.misbehaves is not None:
                return await self.misbehaves(request)
            return await self._answer(request, raw)
        except Refused as refused:
            headers = {**self.habits.headers, **(refused.headers or {})}
            return web.json_response(self.habits.error(refused), status=refused.status, headers=headers)
        except asyncio.CancelledError:
            self.ended_early.set()
            raise

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        if not self.allows(request):
            raise Refused(401, "Incorrect API key provided", code="invalid_api_key")
        habits = self.habits
        if (request.method, request.path) == ("GET", habits.models_path or f"{habits.root}/models"):
            return web.json_response(self.listed())
        endpoint = self.endpoint_at(request.path)
        if endpoint is None or request.method != "POST":
            raise Refused(404, f"Invalid URL ({request.method} {request.path})")
        if request.content_type != "application/json":
            raise Refused(400, "Content-Type must be application/json")
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise Refused(400, "We could not parse the JSON body of your request.") from error
        for name in body:
            if name in habits.refused_fields:
                raise Refused(habits.refused_status, f"Unrecognized request argument supplied: {name}", param=name)
        if habits.check is not None:
            habits.check(request.path.removeprefix(habits.root), body)
        if not self.knows(body):
            raise Refused(404, f"The model `{body.get('model')}` does not exist", param="model", code="model_not_found")
        check_types(body)
        answer = endpoint({name: value for name, value in body.items() if name not in habits.unread_fields}, habits)
        if body.get("stream") and answer.head:
            return await self._stream(request, _with_usage(answer, body, habits))
        if habits.usage == "never":
            answer.whole.pop("usage", None)
        return web.json_response(answer.whole, headers=habits.headers)

    async def _stream(self, request: web.Request, events: list[dict[str, Any]]) -> web.StreamResponse:
        answer = await started_stream(request, self.habits.headers)
        for place, event in enumerate(events):
            if place == 1 and not self.gate.is_set():
                self.waiting_at_gate.set()
                await self.gate.wait()
            await answer.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await answer.write(b"data: [DONE]\n\n")
        await answer.write_eof()
        return answer


def _with_usage(answer: Answer, body: dict[str, Any], habits: Habits) -> list[dict[str, Any]]:
    """The events with the usage where this vendor has it."""
    counts = answer.whole["usage"]
    if habits.usage == "running":
        read, written = counts["prompt_tokens"], counts["completion_tokens"]
        so_far = [min(place, written) for place in range(len(answer.events) - 1)] + [written]
        return [
            {**event, "usage": {"prompt_tokens": read, "completion_tokens": count, "total_tokens": read + count}}
            for event, count in zip(answer.events, so_far, strict=True)
        ]
    is_asked = bool((body.get("stream_options") or {}).get("include_usage"))
    if habits.usage == "always" or (habits.usage == "asked" and is_asked):
        last = {**answer.head, "choices": [], "usage": counts}
        return [*({**event, "usage": None} for event in answer.events), last]
    return answer.events


AnUpstream = TypeVar("AnUpstream", bound=Upstream)


@asynccontextmanager
async def upstream_server(
    tls: ssl.SSLContext | None = None,
    make: Callable[[], AnUpstream] = Upstream,  # type: ignore[assignment]  # the bound is its default
) -> AsyncIterator[AnUpstream]:
    """A running upstream on a free port of this machine. tls: it speaks HTTPS with this. make: which vendor it is, such
    as `partial(Upstream, habits)`.
    """
    upstream = make()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", upstream.serve)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    upstream.url = f"{'https' if tls else 'http'}://{host}:{port}{upstream.habits.root}"
    try:
        yield upstream
    finally:
        upstream.gate.set()
        await runner.cleanup()
