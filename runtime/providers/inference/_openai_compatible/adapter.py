"""Inference by any server that speaks OpenAI's protocol.

The request's own JSON is sent on with the model's name replaced, so unknown fields reach the vendor; the answer's bytes
are returned. Where a vendor differs, its data says how: no vendor is known here by name. Which models there are is
asked in `vendor_models.py`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from runtime.apis.inference.abilities import Abilities, AbilitiesRequest
from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest, RerankRequest
from runtime.apis.providers.protocol import ProviderHealth
from runtime.context import warn
from runtime.errors import NotSupported, Unavailable, UpstreamError
from runtime.http.auth import Auth, Bearer, NamedHeader
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, json_request
from runtime.provider import LeadsBack, ListedModel, ProviderContext
from runtime.providers.inference._openai_compatible import embeddings, reranking
from runtime.providers.inference._openai_compatible.answer_fields import AnswerFields
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.model_list import ListEntry, entries_of
from runtime.providers.inference._openai_compatible.outgoing_fields import (
    MessageFields,
    apply_rules,
    fit_chat,
    fit_prompt,
    given_fields,
    refusal,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, OpenAICompatible
from runtime.providers.inference._openai_compatible.streams import FinishReasons, as_events, choices_of
from runtime.providers.inference._openai_compatible.vendor_models import VendorModels
from runtime.sse import EventStream, Json, Reply

T = TypeVar("T")
_FIRST_BYTE_S, _BETWEEN_BYTES_S = 600.0, 300.0
"""A model that thinks, or whose answer is not streamed, is silent for long before its first byte, but not after it."""
_MAX_CONVERTED_IN_LOOP_BYTES = 256 * 1024
"""The largest answer whose vectors are converted in the event loop (a few milliseconds); larger ones use a thread."""


class OpenAICompatibleInference:
    """Chat, completions, embeddings and reranking at a vendor.

    Errors before the first byte have the vendor's status. Raises NotSupported (501) for what the vendor does not have,
    RequestError (400) for a field that it cannot honour.
    """

    def __init__(self, config: OpenAICompatibleConfig, context: ProviderContext) -> None:
        facts: OpenAICompatible = context.spec.facts
        self._facts = facts
        self._provider_id = context.provider_id
        self._max_tokens = config.max_tokens
        self._message_fields = MessageFields(facts.chat or Chat())
        self._base_url = _address(config.base_url or facts.base_url or "", facts.version_path)
        if not self._base_url:
            raise Unavailable(
                f"provider `{context.provider_id}` has no address",
                hint=f"set `base_url` in its config, or {facts.base_url_env or 'the variable it refers to'}",
            )
        if facts.closed and self._base_url == facts.base_url:
            raise Unavailable(f"provider `{context.provider_id}` cannot answer: {facts.closed}")
        auth = self.auth(config, context)
        timeouts = Timeouts(
            connect_s=config.connect_timeout_s,
            first_byte_s=config.timeout_s or _FIRST_BYTE_S,
            read_s=config.timeout_s or _BETWEEN_BYTES_S,
        )
        self._http = context.http.with_auth(auth, address=self._base_url, timeouts=timeouts)
        self._chat_answers = AnswerFields(facts.chat or Chat(), provider_id=context.provider_id)
        self._completion_answers = AnswerFields(facts.completions or Completions(), provider_id=context.provider_id)
        self._models = VendorModels(
            config,
            context,
            http=self._http,
            url=self.url(facts.models_path, ""),
            key_hint=auth.hint,
            read=self.read_models,
            more=self.more_models,
        )

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        """How its requests are authenticated; a vendor with another method overrides this. config: as validated by the
        config class that the vendor's spec names.
        """
        facts: OpenAICompatible = context.spec.facts
        if facts.key_header == "authorization":
            return Bearer(context.keys, required=facts.key_required)
        return NamedHeader(facts.key_header, context.keys, required=facts.key_required)

    def url(self, path: str, model: str) -> str:
        """Where a request for a model goes; a vendor with other addresses overrides this."""
        if "://" in path:
            return path
        base_url = self._base_url
        while path.startswith("../"):
            base_url, path = base_url.rpartition("/")[0], path[3:]
        return f"{base_url}/{path.removeprefix('/')}"

    def read_models(self, answer: Any) -> list[ListEntry] | None:
        """The entries of its list; None where the answer has none. A vendor with a form of its own overrides this."""
        return entries_of(answer)

    def more_models(self, answer: Any) -> str:
        """What the list's address has behind it for the models after these; empty where there are none. A vendor whose
        list comes in pages overrides this.
        """
        return ""

    async def vectors(self, request: EmbeddingsRequest, body: Json) -> Reply:
        """The vendor's answer in OpenAI's form; a vendor with another form overrides this. body: what is sent."""
        facts = self._has(self._facts.embeddings, "embeddings")
        return await self._http.reply(self._outgoing(facts.path, request.model, body), objects="data")

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        chat = self._has(self._facts.chat, "chat completions")
        body = given_fields(request, opaque=("messages",))
        self._message_fields.read(body)
        self._limit(body)
        fit_chat(chat, body, provider_id=self._provider_id)
        answer = await self._answer(chat, request, body)
        return _changed(self._chat_answers, answer, request)

    async def get_abilities(self, request: AbilitiesRequest) -> Abilities:
        """Those of the vendor itself. Of another server at its address nothing is known."""
        is_vendor = self._facts.base_url in (None, self._base_url)
        has_custom = is_vendor and self._facts.chat is not None and self._facts.chat.custom_tools
        return Abilities(custom_tools=has_custom, strict_functions=has_custom)

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        completions = self._has(self._facts.completions, "text completions")
        body = given_fields(request)
        self._limit(body)
        fit_prompt(completions, body, provider_id=self._provider_id)
        return _changed(self._completion_answers, await self._answer(completions, request, body), request)

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        """Vectors in the requested encoding, whichever the vendor sends. Raises UpstreamError for invalid vectors."""
        facts = self._has(self._facts.embeddings, "embeddings")
        if not facts.takes_ids and embeddings.has_ids(request.input):
            raise refusal("input", self._provider_id, "takes texts, not token ids")
        body = given_fields(request)
        apply_rules(facts.rules, body, provider_id=self._provider_id)
        reply = await self.vectors(request, body)
        if not embeddings.counts_tokens(reply):
            warn(f"`usage` is 0: `{self._provider_id}` did not count the tokens")
        count, as_base64 = embeddings.asked_for(request.input), request.encoding_format == "base64"
        if not embeddings.is_to_change(reply, count=count, as_base64=as_base64):
            return reply
        convert = partial(embeddings.encoded, reply, count=count, as_base64=as_base64, packed=facts.packed)
        try:
            return convert() if len(reply.data) <= _MAX_CONVERTED_IN_LOOP_BYTES else await asyncio.to_thread(convert)
        except embeddings.NotNumbers as error:
            raise UpstreamError(f"`{self._provider_id}` answered {error}", provider_id=self._provider_id) from error

    async def rerank(self, request: RerankRequest) -> Reply:
        """The documents in order, whichever form the vendor has. Raises UpstreamError for an answer that is none."""
        facts = self._has(self._facts.rerank, "reranking")
        body = reranking.body_of(facts, request, provider_id=self._provider_id)
        outgoing = self._outgoing(reranking.path_of(facts, request.model), request.model, body)
        try:
            return Reply.of(reranking.answer_of(facts, request, await self._http.value(outgoing)))
        except reranking.NotARanking as error:
            raise UpstreamError(f"`{self._provider_id}` answered {error}", provider_id=self._provider_id) from error

    async def list_models(self) -> list[ListedModel]:
        return await self._models.list_models()

    async def check_health(self) -> ProviderHealth:
        return await self._models.check_health()

    async def _answer(
        self, facts: Chat | Completions, request: ChatCompletionRequest | CompletionRequest, body: Json
    ) -> Reply | EventStream:
        if request.wants_usage and request.stream and facts.usage == "never":
            warn(f"`{self._provider_id}` sends no token counts in a stream")
        apply_rules(facts.rules, body, provider_id=self._provider_id)
        outgoing = self._outgoing(facts.path, request.model, body)
        if request.stream:
            whole = partial(as_events, with_usage=request.wants_usage)
            return await self._http.stream(outgoing, ending=FinishReasons(choices_of(request)), whole=whole)
        return await self._http.reply(outgoing, objects="choices")

    def _limit(self, body: Json) -> None:
        if self._max_tokens is not None and "max_tokens" not in body and "max_completion_tokens" not in body:
            body["max_tokens"] = self._max_tokens
            warn(f"`max_tokens` was not given: {self._max_tokens} is this server's setting for `{self._provider_id}`")

    def _has(self, facts: T | None, what: str) -> T:
        if facts is None:
            raise NotSupported(f"Provider `{self._provider_id}` has no {what}")
        return facts

    def _outgoing(self, path: str, model: str, body: Json) -> Outgoing:
        if (loop := self._models.loop) is not None:
            raise LeadsBack(loop.message, hint=loop.hint)
        return json_request(self.url(path, model), body, headers=self._facts.headers)


def _changed(
    fields: AnswerFields, answer: Reply | EventStream, request: ChatCompletionRequest | CompletionRequest
) -> Reply | EventStream:
    if isinstance(answer, Reply):
        return fields.of_reply(answer)
    return fields.of_stream(answer, wants_usage=request.wants_usage)


def _address(base_url: str, version_path: str) -> str:
    """`base_url` without a slash at the end, and with the version's path if it has no path."""
    address = base_url.strip().rstrip("/")
    return address + version_path if address and not urlsplit(address).path else address
