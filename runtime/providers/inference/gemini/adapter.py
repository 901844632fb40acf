"""Google's API for developers. https://ai.google.dev/api, https://ai.google.dev/gemini-api/docs/oauth"""

from __future__ import annotations

import asyncio
from typing import Any

from runtime.apis.inference.counting import TokenCount
from runtime.apis.inference.protocol import ChatCompletionRequest, EmbeddingsRequest
from runtime.apis.inference.sense import making_sense
from runtime.concurrently import concurrently
from runtime.http.auth import Auth, Bearer, NamedHeader
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.inference._gemini.embeddings import reply_of, task_of, unknown_in
from runtime.providers.inference._gemini.generating import counted, generated
from runtime.providers.inference._gemini.requests import request_of
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.model_list import ListEntry
from runtime.providers.inference._openai_compatible.outgoing_fields import apply_rules, given_fields
from runtime.providers.inference._openai_compatible.reranking import in_path
from runtime.providers.inference._readable import check_readable
from runtime.providers.inference._vectors import batches_of
from runtime.providers.inference.gemini.config import GeminiConfig
from runtime.sse import EventStream, Json, Reply

_TEXTS_AT_ONCE, _CALLS_AT_ONCE = 100, 4
"""A request takes a hundred texts: https://ai.google.dev/api/embeddings"""


class GeminiInference(OpenAICompatibleInference):
    """Chat and embeddings at Gemini. Raises as `OpenAICompatibleInference` does."""

    def __init__(self, config: GeminiConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self._keys, self._readable = context.keys, config.readable_addresses

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        assert isinstance(config, GeminiConfig)
        return _TokenOrKey(context, config.project) if config.has_token else _key(context)

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        chat = self._has(self._facts.chat, "chat completions")
        body = given_fields(request)
        self._limit(body)
        apply_rules(chat.rules, body, provider_id=self._provider_id)

        def outgoes(method: str, made: Json) -> Outgoing:
            check_readable(made, allowed=self._readable, keys=self._keys)
            return self._outgoing(f"/{_in_path(request.model)}:{method}", request.model, made)

        return await generated(self._http, outgoes, request, body, self._provider_id)

    async def count_tokens(self, request: ChatCompletionRequest) -> TokenCount:
        """Counted by the model's own tokenizer, with its tools."""
        chat, body = self._has(self._facts.chat, "chat completions"), given_fields(request)
        apply_rules(chat.rules, body, provider_id=self._provider_id)
        model = _in_path(request.model)
        asked = {"generateContentRequest": {"model": model, **request_of(body, self._provider_id)}}
        check_readable(asked, allowed=self._readable, keys=self._keys)
        outgoing = self._outgoing(f"/{model}:countTokens", request.model, asked)
        return await counted(self._http, outgoing, self._provider_id)

    def read_models(self, answer: Any) -> list[ListEntry] | None:
        """Without those that can be asked for neither text nor vectors, such as models of films."""
        if isinstance(answer, dict) and isinstance(models := answer.get("models"), list):
            answer = {**answer, "models": [model for model in models if _can_be_asked(model)]}
        return super().read_models(answer)

    async def vectors(self, request: EmbeddingsRequest, body: Json) -> Reply:
        """https://ai.google.dev/api/embeddings#method:-models.batchembedcontents"""
        model, task, more = _in_path(request.model), task_of(body), unknown_in(body)
        settings = {
            **({"outputDimensionality": request.dimensions} if request.dimensions is not None else {}),
            **({"taskType": task} if task is not None else {}),
        }

        async def asked(some: list[str]) -> Json:
            requests = [{"model": model, "content": {"parts": [{"text": text}]}, **settings} for text in some]
            outgoing = self._outgoing(f"/{model}:batchEmbedContents", request.model, {"requests": requests, **more})
            return (await self._http.reply(outgoing, objects="embeddings")).value()

        answers = await concurrently(asked, batches_of(request, _TEXTS_AT_ONCE), at_once=_CALLS_AT_ONCE)
        with making_sense(self._provider_id):
            found = [found["values"] for answer in answers for found in answer["embeddings"]]
            counts = [(answer.get("usageMetadata") or {}).get("promptTokenCount") for answer in answers]
            return await asyncio.to_thread(reply_of, request, found, counts)


def _can_be_asked(model: Any) -> bool:
    methods = model.get("supportedGenerationMethods") if isinstance(model, dict) else None
    return not isinstance(methods, list) or not {"generateContent", "embedContent"}.isdisjoint(methods)


def _in_path(model: str) -> str:
    """A model's place: `models/NAME`, or that of a tuned one. In older configs a name begins with `gemini/`."""
    name = model.removeprefix("gemini/").removeprefix("models/")
    return in_path(name if name.startswith("tunedModels/") else f"models/{name}")


def _key(context: ProviderContext) -> NamedHeader:
    return NamedHeader("x-goog-api-key", context.keys, required=True)


class _TokenOrKey(Bearer):
    """The configured token, with the project that pays; or a caller's key, which is one of another project."""

    def __init__(self, context: ProviderContext, project: str | None) -> None:
        super().__init__(context.keys, required=True)
        self._callers = _key(context)
        self._headers = {"x-goog-user-project": project} if project else {}

    async def apply(self, request: Outgoing) -> Outgoing:
        sent = await super().apply(request)
        return await self._callers.apply(request) if sent.key_is_callers else sent.with_headers(self._headers)
