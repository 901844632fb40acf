"""Chat, embeddings and reranking at Vertex AI, each at the address that the model's publisher has.

Of the Ranking API: https://cloud.google.com/generative-ai-app-builder/docs/ranking (read November 2026).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from runtime.apis.inference.counting import TokenCount
from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest, RerankRequest
from runtime.apis.inference.sense import making_sense
from runtime.apis.providers.protocol import ProviderHealth
from runtime.concurrently import concurrently
from runtime.errors import RequestError, Unavailable
from runtime.http.auth import Auth
from runtime.http.keys import ProviderKeys
from runtime.http.transport import Outgoing, json_request
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers._vendors.google.auth import GoogleBearer
from runtime.providers._vendors.google.identity import GoogleIdentity
from runtime.providers.inference._gemini.embeddings import reply_of, task_of, unknown_in
from runtime.providers.inference._gemini.generating import counted, generated
from runtime.providers.inference._gemini.requests import request_of
from runtime.providers.inference._gemini.spec import GEMINI_RULES
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.outgoing_fields import apply_rules, given_fields
from runtime.providers.inference._openai_compatible.spec import Chat, Completions
from runtime.providers.inference._ranking import best_first
from runtime.providers.inference._ranking import texts_of as documents_of
from runtime.providers.inference._readable import check_readable
from runtime.providers.inference._vectors import batches_of
from runtime.providers.inference.vertexai.config import VertexAIConfig
from runtime.providers.inference.vertexai.models import named
from runtime.providers.inference.vertexai.places import CALLERS_TOKEN, Places
from runtime.providers.inference.vertexai.vectors import body_of, vectors_in, way_of
from runtime.sse import EventStream, Json, Reply

_CALLS_AT_ONCE = 8
_MOST_DOCUMENTS = 200
_COUNTED = ("contents", "systemInstruction", "tools", "generationConfig")
_RANKED = ("model", "query", "documents", "top_n", "return_documents")


class VertexAIInference(OpenAICompatibleInference):
    """Raises as `OpenAICompatibleInference` does, and Unavailable where nobody says who calls, or for which project."""

    def __init__(self, config: VertexAIConfig, context: ProviderContext) -> None:
        self._identity = GoogleIdentity(context.http, provider_id=context.provider_id, file=config.credentials_file)
        super().__init__(config, context)
        self._readable = config.readable_addresses
        own = self._base_url if self._base_url != self._facts.base_url else None
        self._places = Places(config, self._identity, self._tokens, base_url=own, provider_id=context.provider_id)

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        vendor = context.provider_id.replace("-", "_")
        names = tuple(dict.fromkeys((CALLERS_TOKEN, f"{vendor}_access_token")))
        self._tokens = ProviderKeys(
            context.provider_id, names, configured=context.configured_key, hint="set `access_token` in its config"
        )
        self._bearer = GoogleBearer(self._tokens, self._identity)
        return self._bearer

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        model = named(request.model)
        if not model.is_gemini:
            return await super().chat_completion(request)
        place, body = await self._places.of_request(), given_fields(request)
        self._limit(body)
        apply_rules(GEMINI_RULES, body, provider_id=self._provider_id)

        def outgoes(method: str, made: Json) -> Outgoing:
            check_readable(made, allowed=self._readable, keys=self._tokens)
            name, mark, query = method.partition("?")
            return json_request(place.of_google(model.name, name) + mark + query, made)

        return await generated(self._http, outgoes, request, body, self._provider_id)

    async def count_tokens(self, request: ChatCompletionRequest) -> TokenCount:
        """Of Gemini's models; None of others, which only count what they have read."""
        model = named(request.model)
        if not model.is_gemini:
            return TokenCount(tokens=None)
        place, body = await self._places.of_request(), given_fields(request)
        apply_rules(GEMINI_RULES, body, provider_id=self._provider_id)
        asked = {name: value for name, value in request_of(body, self._provider_id).items() if name in _COUNTED}
        check_readable(asked, allowed=self._readable, keys=self._tokens)
        outgoing = json_request(place.of_google(model.name, "countTokens"), asked)
        return await counted(self._http, outgoing, self._provider_id)

    async def vectors(self, request: EmbeddingsRequest, body: Json) -> Reply:
        """By the method that the model has."""
        place, model = await self._places.of_request(), named(request.model)
        way, task, more = way_of(model.name), task_of(body), unknown_in(body)

        async def asked(some: list[str]) -> Json:
            sent = {**body_of(way, some, dimensions=request.dimensions, task=task), **more}
            return (await self._http.reply(json_request(place.of_google(model.name, way.method), sent))).value()

        answers = await concurrently(asked, batches_of(request, way.texts), at_once=_CALLS_AT_ONCE)
        with making_sense(self._provider_id):
            found = [vectors_in(way, answer) for answer in answers]
            vectors, counts = [one for some, _ in found for one in some], [count for _, count in found]
            return await asyncio.to_thread(reply_of, request, vectors, counts)

    async def rerank(self, request: RerankRequest) -> Reply:
        """The documents in order. Raises RequestError for too many, UpstreamError for an answer that is no ranking."""
        facts = self._has(self._facts.rerank, "reranking")
        documents, body = documents_of(request), given_fields(request)
        if len(documents) > _MOST_DOCUMENTS:
            words = f"{len(documents)} documents, and `{self._provider_id}` ranks at most {_MOST_DOCUMENTS} at once"
            raise RequestError(words, param="documents", code="invalid_value")
        apply_rules(facts.rules, body, provider_id=self._provider_id)
        sent: Json = {
            **{name: value for name, value in body.items() if name not in _RANKED},
            "model": named(request.model).name,
            "query": request.query,
            "records": [{"id": str(at), "content": text} for at, text in enumerate(documents)],
            "ignoreRecordDetailsInResponse": True,
        }
        if request.top_n is not None:
            sent["topN"] = request.top_n
        place = await self._places.of_request()
        answer = await self._http.value(json_request(place.ranking, sent))
        with making_sense(self._provider_id):
            scores = _scores(answer, len(documents), wanted=request.top_n or len(documents))
        return Reply.of({"model": request.model, "results": best_first(request, scores)})

    async def check_health(self) -> ProviderHealth:
        """Whether there is a token for whoever this server runs as."""
        try:
            await self._bearer.apply(Outgoing(method="GET", url=self._base_url))
        except Unavailable as error:
            return unhealthy(f"{error.message} ({error.hint})" if error.hint else error.message, state="needs-key")
        return healthy()

    async def _answer(
        self, facts: Chat | Completions, request: ChatCompletionRequest | CompletionRequest, body: Json
    ) -> Reply | EventStream:
        """That of an open model, or of one that the user has deployed."""
        place, model = await self._places.of_request(), named(request.model)
        body["model"] = "" if model.is_deployed else model.full_name
        address = place.deployed(model.full_name) if model.is_deployed else place.openai
        return await super()._answer(replace(facts, path=f"{address}{facts.path}"), request, body)


def _scores(answer: Json, documents: int, *, wanted: int) -> list[tuple[int, float]]:
    """Of each document that was ranked, by its place. Raises what happens with an answer of another form."""
    given = {str(record["id"]): float(record["score"]) for record in answer["records"]}
    known = [(at, given[str(at)]) for at in range(documents) if str(at) in given]
    if len(known) < min(documents, wanted):
        raise ValueError(f"{len(known)} scores for {documents} documents")
    return known
