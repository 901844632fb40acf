"""A vendor at wire level: a local server that checks requests as OpenAI documents them, answers so, fails on demand.

What it says is made from the request alone, so the same request has the same answer. Knows nothing of our code.
Shapes: https://platform.openai.com/docs/api-reference/chat and its neighbours, read November 2026.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

CHAT_MODEL = "small-chat"
EMBEDDING_MODEL = "small-embed"
DIMENSION = 8
CREATED = 1_700_000_000
_WORDS = (
    "red",
    "green",
    "blue",
    "one",
    "two",
    "three",
    "north",
    "south",
    "east",
    "west",
    "rain",
    "sun",
    "hill",
    "lake",
)
_NATURAL_LENGTH = 12  # words, unless a limit or a stop string comes first

Misbehaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
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

    def __init__(self) -> None:
        self.url = ""
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

    async def serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        self.seen.append(Seen(method=request.method, path=request.path, headers=request.headers, raw=raw))
        try:
            if self.misbehaves is not None:
                return await self.misbehaves(request)
            return await self._answer(request, raw)
        except asyncio.CancelledError:
            self.ended_early.set()
            raise

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return refusal(401, "Incorrect API key provided", type="invalid_request_error", code="invalid_api_key")
        if (request.method, request.path) == ("GET", "/v1/models"):
            models = [{"id": name, "object": "model", "created": CREATED, "owned_by": "vendor"} for name in self.models]
            return web.json_response({"object": "list", "data": models})
        endpoint = {
            "/v1/chat/completions": self._chat, "/v1/completions": self._completion, "/v1/embeddings": self._embeddings,
        }.get(request.path)  # fmt: skip
        if endpoint is None or request.method != "POST":
            return refusal(404, f"Invalid URL ({request.method} {request.path})")
        if request.content_type != "application/json":
            return refusal(400, "Content-Type must be application/json")
        body = json.loads(raw)
        if body.get("model") not in self.models:
            return refusal(
                404, f"The model `{body.get('model')}` does not exist", param="model", code="model_not_found"
            )
        return await endpoint(request, body)

    async def _chat(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if not body["messages"] or any("role" not in message for message in body["messages"]):
            return refusal(400, "each message needs a role", param="messages")
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        prompt = json.dumps(body["messages"])
        if len(prompt) > 10_000:
            return refusal(400, "maximum context length exceeded", param="messages", code="context_length_exceeded")
        wants_logprobs = bool(body.get("logprobs"))
        answers = [_written(body, f"{prompt}#{copy}", limit) for copy in range(body.get("n") or 1)]
        usage = _usage(prompt, answers)
        head = {"id": "chatcmpl-1", "created": CREATED, "model": body["model"], "system_fingerprint": "fp_1"}

        def choice(
            index: int, content: dict[str, Any], words: list[str], finish: str | None, key: str
        ) -> dict[str, Any]:
            logprobs = {
                "content": [_chat_logprob(word, body.get("top_logprobs") or 0) for word in words],
                "refusal": None,
            }
            return {
                "index": index,
                key: content,
                "logprobs": logprobs if wants_logprobs else None,
                "finish_reason": finish,
            }

        if not body.get("stream"):
            choices = [
                choice(
                    index, {"role": "assistant", "content": "".join(words), "refusal": None}, words, finish, "message"
                )
                for index, (words, finish) in enumerate(answers)
            ]
            return web.json_response({**head, "object": "chat.completion", "choices": choices, "usage": usage})
        events: list[dict[str, Any]] = []
        for index, (words, finish) in enumerate(answers):
            chunk = {**head, "object": "chat.completion.chunk"}
            events.append(
                {**chunk, "choices": [choice(index, {"role": "assistant", "content": ""}, [], None, "delta")]}
            )
            events += [
                {**chunk, "choices": [choice(index, {"content": word}, [word], None, "delta")]} for word in words
            ]
            events.append({**chunk, "choices": [choice(index, {}, [], finish, "delta")]})
        return await self._stream(request, body, events, {**head, "object": "chat.completion.chunk"}, usage)

    async def _completion(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        each = body.get("n") or 1
        answers = [
            _written(body, f"{prompt}#{copy}", body.get("max_tokens", 16)) for prompt in prompts for copy in range(each)
        ]
        usage = _usage(json.dumps(prompts), answers)
        head = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": body["model"]}
        top = body.get("logprobs")

        def choice(index: int, words: list[str], finish: str | None) -> dict[str, Any]:
            logprobs = None if top is None else _completion_logprobs(words, top)
            return {"index": index, "text": "".join(words), "logprobs": logprobs, "finish_reason": finish}

        if not body.get("stream"):
            choices = [choice(index, words, finish) for index, (words, finish) in enumerate(answers)]
            return web.json_response({**head, "choices": choices, "usage": usage})
        events: list[dict[str, Any]] = []
        for index, (words, finish) in enumerate(answers):
            events += [{**head, "choices": [choice(index, [word], None)]} for word in words]
            events.append({**head, "choices": [choice(index, [], finish)]})
        return await self._stream(request, body, events, head, usage)

    async def _stream(
        self, request: web.Request, body: dict[str, Any], events: list[dict[str, Any]], head: dict[str, Any], usage: Any
    ) -> web.StreamResponse:
        if (body.get("stream_options") or {}).get("include_usage"):
            events = [*({**event, "usage": None} for event in events), {**head, "choices": [], "usage": usage}]
        answer = await started_stream(request)
        for place, event in enumerate(events):
            if place == 1 and not self.gate.is_set():
                self.waiting_at_gate.set()
                await self.gate.wait()
            await answer.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await answer.write(b"data: [DONE]\n\n")
        await answer.write_eof()
        return answer

    async def _embeddings(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = []
        for index, text in enumerate(inputs):
            vector = vector_of(text)
            packed = base64.b64encode(struct.pack(f"<{DIMENSION}f", *vector)).decode()
            data.append(
                {
                    "object": "embedding",
                    "index": index,
                    "embedding": packed if body.get("encoding_format") == "base64" else vector,
                }
            )
        usage = {
            "prompt_tokens": sum(len(str(text)) for text in inputs),
            "total_tokens": sum(len(str(text)) for text in inputs),
        }
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": usage})


def vector_of(text: Any) -> list[float]:
    """A vector of float32 values that depends on the text alone."""
    made = random.Random(str(text))
    return [struct.unpack("<f", struct.pack("<f", made.uniform(-1, 1)))[0] for _ in range(DIMENSION)]


def refusal(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An error as the vendor words it."""
    body = {"error": {"message": message, "type": type, "param": param, "code": code}}
    return web.json_response(body, status=status, headers=headers)


async def started_stream(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    return answer


def _written(body: dict[str, Any], prompt: str, limit: int | None) -> tuple[list[str], str]:
    """The words of an answer and why it ended. Temperature 0 looks at the prompt alone; else the seed counts too."""
    seed = prompt if body.get("temperature") == 0 else f"{prompt}{body.get('seed')}"
    chosen = random.Random(hashlib.sha256(seed.encode()).digest())
    words = [f"{chosen.choice(_WORDS)} " for _ in range(_NATURAL_LENGTH)]
    finish = "stop"
    if limit is not None and limit < len(words):
        words, finish = words[:limit], "length"
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = "".join(words)
        if stop in text:
            kept, words = text[: text.index(stop)], []
            while kept:
                head, space, kept = kept.partition(" ")
                words.append(head + space)
            finish = "stop"
    return words, finish


def _usage(prompt: str, answers: list[tuple[list[str], str]]) -> dict[str, int]:
    read, written = len(prompt.split()), sum(len(words) for words, _ in answers)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _chat_logprob(word: str, top: int) -> dict[str, Any]:
    likely = [
        {"token": word if place == 0 else f"{place}", "logprob": -0.5 - place, "bytes": None} for place in range(top)
    ]
    return {"token": word, "logprob": -0.5, "bytes": list(word.encode()), "top_logprobs": likely}


def _completion_logprobs(words: list[str], top: int) -> dict[str, Any]:
    offsets = [sum(map(len, words[:place])) for place in range(len(words))]
    tops = [{word: -0.5, **{f"{place}": -0.5 - place for place in range(1, top)}} for word in words]
    return {"tokens": words, "token_logprobs": [-0.5] * len(words), "top_logprobs": tops, "text_offset": offsets}


@asynccontextmanager
async def upstream_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """A running upstream on a free port of this machine. tls: it speaks HTTPS with this."""
    upstream = Upstream()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", upstream.serve)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    upstream.url = f"{'https' if tls else 'http'}://{host}:{port}/v1"
    try:
        yield upstream
    finally:
        upstream.gate.set()
        await runner.cleanup()
