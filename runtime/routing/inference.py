"""Routes inference by model: finds the owner, puts the owner's name for the model into the request, and the requested
name into the answer.
"""

from __future__ import annotations

import re
from typing import Any

from runtime.apis.inference import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingsRequest,
    RerankItemsRequest,
    RerankRequest,
)
from runtime.errors import RequestError
from runtime.routing.adapters import Method
from runtime.routing.forward import Router
from runtime.sse import EventStream, Frames, Reply, encode

_KEY = b'"model"'
_MODEL = re.compile(rb'"model"\s*:\s*(?:"(?:[^"\\]|\\.)*"|null)')
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]')


class InferenceRouter(Router):
    """Implements `Inference` by forwarding."""

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        method, routed = await self._find(request, "chat_completion", "llm")
        return _with_name(await method(routed), request.model)

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        method, routed = await self._find(request, "completion", "llm")
        return _with_name(await method(routed), request.model)

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        method, routed = await self._find(request, "embeddings", "embedding")
        return _renamed(await method(routed), request.model)

    async def rerank(self, request: RerankRequest) -> Reply:
        method, routed = await self._find(request, "rerank", "rerank")
        return _renamed(await method(routed), request.model)

    async def rerank_items(self, request: RerankItemsRequest) -> Reply:
        """llama-stack's form, by the owner's `rerank`."""
        found = (await self.rerank(_as_rerank(request))).value()["results"]
        data = [{"index": one["index"], "relevance_score": one["relevance_score"]} for one in found]
        return Reply.of({"data": data})

    async def _find(self, request: Any, name: str, kind: str) -> tuple[Method, Any]:
        """The method of the model's owner, and the request with the owner's name for the model."""
        assert self._routes_by is not None, "inference is routed by models"
        model = await self._routes_by.resolve(request.model)
        if model.kind and model.kind != kind:
            raise RequestError(
                f"Model `{request.model}` is of type `{model.kind}`, this needs `{kind}`",
                param="model",
                code="model_type_mismatch",
            )
        method = self._adapters.method(model.provider_id, name, what=f"Model `{request.model}`")
        return method, request.routed_by(model, "model")


def _as_rerank(request: RerankItemsRequest) -> RerankRequest:
    query, *documents = [_text(item) for item in (request.query, *request.items)]
    others = request.model_extra or {}
    for name in others:
        if name in RerankRequest.model_fields:
            raise RequestError(
                f"`{name}` is a field of `/v1/rerank`, not of this form of it",
                hint=f"leave out `{name}`, or ask `/v1/rerank`",
                param=name,
            )
    given = {**others, "model": request.model, "query": query, "documents": documents}
    if request.max_num_results is not None:
        given["top_n"] = request.max_num_results
    return RerankRequest.model_validate(given)


def _text(item: Any) -> str:
    text: str = item if isinstance(item, str) else item["text"]
    return text


def _with_name(answer: Reply | EventStream, model: str) -> Reply | EventStream:
    return _renamed(answer, model) if isinstance(answer, Reply) else answer.map(_Renamer(model))


def _renamed(reply: Reply, model: str) -> Reply:
    found = _find_model(reply.data)
    if found is None:
        return reply
    start, end = found
    return Reply(reply.data[:start] + _member(model) + reply.data[end:])


def _find_model(data: bytes) -> tuple[int, int] | None:
    """Start and end of the member `model` of an answer; if several objects have one, that of the outermost."""
    found = dict(match.span() for match in _MODEL.finditer(data))
    if len(found) < 2:
        return next(iter(found.items()), None)
    depth, depths = 0, {}
    for token in _NESTING.finditer(data):
        match token.group()[:1]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
            case _ if token.start() in found:
                depths[token.start()] = depth
                if depth == 1:  # the answer's own member: no need to scan the rest, which may be megabytes
                    break
    outermost = min(found, key=lambda start: depths.get(start, len(data)))
    return outermost, found[outermost]


class _Renamer:
    """Puts the requested name into every event of one stream.

    A quote inside a JSON string is escaped, so `"model"` is always a member. A vendor writes it the same way in nearly
    every event, so it is replaced as bytes; if a read contains another spelling, event by event.
    """

    def __init__(self, model: str) -> None:
        self._ours = _member(model)
        self._theirs: bytes | None = None

    def __call__(self, frames: Frames) -> Frames:
        data = frames.data
        members = data.count(_KEY)
        if not members:
            return frames
        if self._theirs is None or data.count(self._theirs) != members:
            # Learn the spelling from the first event; it is usually the same in all events of a read.
            self._renamed(data[: data.find(b"\n\n", data.find(_KEY))])
            if self._theirs is None or data.count(self._theirs) != members:
                return Frames(b"\n\n".join(self._renamed(event) for event in data.split(b"\n\n")))
        return frames if self._theirs == self._ours else Frames(data.replace(self._theirs, self._ours))

    def _renamed(self, event: bytes) -> bytes:
        found = _find_model(event)
        if found is None:
            return event
        start, end = found
        self._theirs = event[start:end]
        return event[:start] + self._ours + event[end:]


def _member(model: str) -> bytes:
    return b'"model":' + encode(model)


ROUTER = InferenceRouter
