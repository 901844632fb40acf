"""Inference, routed by model: finds the owner, swaps in its own name for the model, and puts the asked-for name back
into the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runtime.apis._api import ExtensibleRequest
from runtime.apis.inference import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest, Inference
from runtime.errors import NotFound, RequestError, Unavailable
from runtime.routing.models import ModelsRegistry
from runtime.sse import EventStream, Frames, Reply, encode

_MODEL = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')


class InferenceRouter:
    """Implements `Inference` by forwarding. providers: adapters by id; down: why a provider that should be there is
    not.
    """

    def __init__(self, models: ModelsRegistry, providers: Mapping[str, Inference], down: Mapping[str, str]) -> None:
        self._models = models
        self._providers = providers
        self._down = down

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        provider, forwarded = await self._route(request, "llm")
        return _named(await provider.chat_completion(forwarded), request.model)

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        provider, forwarded = await self._route(request, "llm")
        return _named(await provider.completion(forwarded), request.model)

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        provider, forwarded = await self._route(request, "embedding")
        return _renamed(await provider.embeddings(forwarded), request.model)

    async def _route(self, request: Any, kind: str) -> tuple[Inference, Any]:
        """The owner of the request's model, and the request in the owner's words."""
        entry = await self._models.resolve(request.model)
        if entry.kind and entry.kind != kind:
            raise RequestError(
                f"Model `{request.model}` is of type `{entry.kind}`, this needs `{kind}`",
                param="model",
                code="model_type_mismatch",
            )
        provider = self._providers.get(entry.provider_id)
        if provider is None:
            if (reason := self._down.get(entry.provider_id)) is not None:
                raise Unavailable(
                    f"Model `{request.model}` is not available: {reason}", param="model", code="provider_unavailable"
                )
            raise NotFound(
                f"Model `{request.model}` belongs to provider `{entry.provider_id}`, which is not configured",
                param="model",
                code="model_not_found",
            )
        return provider, _in_owners_words(request, entry.provider_resource_id)


def _in_owners_words(request: ExtensibleRequest, provider_model_id: str) -> ExtensibleRequest:
    return request if request.__dict__["model"] == provider_model_id else request.changed(model=provider_model_id)


def _named(answer: Reply | EventStream, model: str) -> Reply | EventStream:
    return _renamed(answer, model) if isinstance(answer, Reply) else _renamed_stream(answer, model)


def _renamed(reply: Reply, model: str) -> Reply:
    return Reply(_MODEL.sub(lambda _: _member(model), reply.data, count=1))


async def _renamed_stream(stream: EventStream, model: str) -> EventStream:
    """Puts the asked-for name into every event.

    A quote inside a JSON string is escaped, so the member can only be one; vendors write it the same way in every
    event, so it is looked for once and then replaced as bytes.
    """
    theirs: bytes | None = None
    ours = _member(model)
    try:
        async for frames in stream:
            if theirs is None and (found := _MODEL.search(frames.data)) is not None:
                theirs = found.group()
            if theirs is not None and theirs != ours:
                frames = Frames(frames.data.replace(theirs, ours))
            yield frames
    finally:
        await stream.aclose()


def _member(model: str) -> bytes:
    return b'"model":' + encode(model)


ROUTER = InferenceRouter
