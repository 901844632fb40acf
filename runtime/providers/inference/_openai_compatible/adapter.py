"""Inference by any server that speaks OpenAI's protocol.

The request's own JSON is sent on with the model's name replaced, so unknown fields reach the vendor; the answer's bytes
are returned unchanged. Knows paths and the model list, but no vendor by name: the differences are data in
`OpenAICompatible`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from runtime.apis.inference import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest
from runtime.apis.models import ModelType
from runtime.apis.providers import ProviderHealth
from runtime.errors import Unavailable, UpstreamError
from runtime.http.auth import Auth, Bearer
from runtime.http.refusals import Call
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, json_request
from runtime.provider import LeadsBack, ListedModel, ProviderContext, healthy, unhealthy
from runtime.providers.inference._openai_compatible import embeddings
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.model_list import names_in
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.providers.inference._openai_compatible.streams import FinishReasons, as_events, choices_of
from runtime.sse import EventStream, Json, Reply

_LISTING = Timeouts(connect_s=3, read_s=10)
_MAX_CONVERTED_IN_LOOP_BYTES = 256 * 1024
"""The largest answer whose vectors are converted in the event loop (a few milliseconds); larger ones use a thread."""


class OpenAICompatibleInference:
    """Chat, completions and embeddings at a vendor. Errors before the first byte have the vendor's status."""

    def __init__(self, config: OpenAICompatibleConfig, context: ProviderContext) -> None:
        facts: OpenAICompatible = context.spec.facts
        self._config = config
        self._facts = facts
        self._provider_id = context.provider_id
        self._base_url = _address(config.base_url or facts.base_url or "", facts.version_path)
        self._known: list[ListedModel] | None = None
        self._check_upstream = context.check_upstream
        self._loop: LeadsBack | None = None
        if not self._base_url:
            raise Unavailable(
                f"provider `{context.provider_id}` has no address",
                hint=f"set `base_url` in its config, or {context.spec.enabled_by or 'the variable it refers to'}",
            )
        auth = self.auth(context)
        self._key_hint = auth.hint
        self._waits_for_key = facts.key_required and context.keys.configured() is None
        timeouts = Timeouts(connect_s=config.connect_timeout_s, read_s=config.timeout_s)
        self._http = context.http.with_auth(auth, address=self._base_url, timeouts=timeouts)

    def auth(self, context: ProviderContext) -> Auth:
        """How its requests are authenticated; a vendor with another method overrides this."""
        return Bearer(context.keys, required=context.spec.facts.key_required)

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        return await self._answer("/chat/completions", request)

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        return await self._answer("/completions", request)

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        """Vectors in the requested encoding, whichever the vendor sends. Raises UpstreamError for invalid vectors."""
        reply = await self._http.reply(self._outgoing("/embeddings", request.wire()), member="data")
        as_base64 = request.encoding_format == "base64"
        if not embeddings.is_to_change(reply, as_base64=as_base64):
            return reply
        try:
            if len(reply.data) <= _MAX_CONVERTED_IN_LOOP_BYTES:
                return embeddings.encoded(reply, as_base64=as_base64)
            return await asyncio.to_thread(embeddings.encoded, reply, as_base64=as_base64)
        except embeddings.NotNumbers as error:
            raise UpstreamError(f"`{self._provider_id}` answered {error}", provider_id=self._provider_id) from error

    async def list_models(self) -> list[ListedModel]:
        """The vendor's models; for a vendor without a list, those that the config allows."""
        if self._known is not None and not self._config.refresh_models:
            return self._known
        allowed = self._config.allowed_models
        if not self._facts.lists_models:
            return [self._listed(name) for name in allowed or ()]
        if self._waits_for_key:
            return []
        names = await self._ask_for_models()
        self._known = [self._listed(name) for name in names if allowed is None or name in allowed]
        return self._known

    async def check_health(self) -> ProviderHealth:
        if self._waits_for_key:
            return unhealthy(f"no key: {self._key_hint}", state="needs-key")
        if self._facts.lists_models:
            await self._ask_for_models()
        return healthy()

    async def _ask_for_models(self) -> list[str]:
        """The names that the vendor lists. The stack asks without a request's context, so with the configured key: a
        caller's key may see models that others may not.
        """
        url = f"{self._base_url}/models"
        request = Outgoing(method="GET", url=url, timeouts=_LISTING)
        exchange = await self._http.send(request)
        try:
            self._refuse_loop(exchange.headers)
            names = await names_in(exchange)
        finally:
            await exchange.close()
        if isinstance(names, str):
            call = Call(self._provider_id, request, proxy=exchange.proxy)
            raise call.failed(f"answered {call.place} {names}")
        return names

    def _refuse_loop(self, headers: Mapping[str, str]) -> None:
        """Remember whether the address leads back to us; as long as it does, requests are refused too."""
        self._loop = None
        try:
            self._check_upstream(headers)
        except LeadsBack as error:
            self._loop = error
            raise

    async def _answer(self, path: str, request: ChatCompletionRequest | CompletionRequest) -> Reply | EventStream:
        body = request.wire()
        if self._config.max_tokens is not None and "max_tokens" not in body and "max_completion_tokens" not in body:
            body["max_tokens"] = self._config.max_tokens
        outgoing = self._outgoing(path, body)
        if request.stream:
            whole = partial(as_events, with_usage=bool((request.stream_options or {}).get("include_usage")))
            return await self._http.stream(outgoing, ending=FinishReasons(choices_of(request)), whole=whole)
        return await self._http.reply(outgoing, member="choices")

    def _outgoing(self, path: str, body: Json) -> Outgoing:
        if self._loop is not None:
            raise LeadsBack(self._loop.message, hint=self._loop.hint)
        return json_request(self._base_url + path, body)

    def _listed(self, name: str) -> ListedModel:
        lowered = name.lower()
        model_type: ModelType | None = None
        for fragment, kind in self._facts.model_types:
            if fragment in lowered:
                model_type = kind  # type: ignore[assignment]  # spec modules do not know the types of APIs
                break
        return ListedModel(provider_model_id=name, model_type=model_type)


def _address(base_url: str, version_path: str) -> str:
    """`base_url` without a slash at the end, and with the version's path if it has no path."""
    address = base_url.strip().rstrip("/")
    try:
        names_no_path = bool(address) and not urlsplit(address).path
    except ValueError:  # half an IPv6 address; the call reports it
        names_no_path = False
    return address + version_path if names_no_path else address
