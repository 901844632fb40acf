"""Inference by any server that speaks OpenAI's protocol.

The request's own JSON is sent on with the model's name replaced, so unknown fields reach the vendor; the answer's bytes
are returned unchanged. Knows paths, but no vendor by name: the differences are data in `OpenAICompatible`. Which
models there are is asked in `vendor_models.py`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from urllib.parse import urlsplit

from runtime.apis.inference import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest
from runtime.apis.providers import ProviderHealth
from runtime.errors import Unavailable, UpstreamError
from runtime.http.auth import Auth, Bearer
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, json_request
from runtime.provider import LeadsBack, ListedModel, ProviderContext
from runtime.providers.inference._openai_compatible import embeddings
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.providers.inference._openai_compatible.streams import FinishReasons, as_events, choices_of
from runtime.providers.inference._openai_compatible.vendor_models import VendorModels
from runtime.sse import EventStream, Json, Reply

_FIRST_BYTE_S, _BETWEEN_BYTES_S = 600.0, 300.0
"""A model that thinks, or whose answer is not streamed, is silent for long before its first byte, but not after it."""
_MAX_CONVERTED_IN_LOOP_BYTES = 256 * 1024
"""The largest answer whose vectors are converted in the event loop (a few milliseconds); larger ones use a thread."""


class OpenAICompatibleInference:
    """Chat, completions and embeddings at a vendor. Errors before the first byte have the vendor's status."""

    def __init__(self, config: OpenAICompatibleConfig, context: ProviderContext) -> None:
        facts: OpenAICompatible = context.spec.facts
        self._provider_id = context.provider_id
        self._max_tokens = config.max_tokens
        self._base_url = _address(config.base_url or facts.base_url or "", facts.version_path)
        if not self._base_url:
            raise Unavailable(
                f"provider `{context.provider_id}` has no address",
                hint=f"set `base_url` in its config, or {context.spec.enabled_by or 'the variable it refers to'}",
            )
        auth = self.auth(context)
        timeouts = Timeouts(
            connect_s=config.connect_timeout_s,
            first_byte_s=config.timeout_s or _FIRST_BYTE_S,
            read_s=config.timeout_s or _BETWEEN_BYTES_S,
        )
        self._http = context.http.with_auth(auth, address=self._base_url, timeouts=timeouts)
        self._models = VendorModels(
            config, context, http=self._http, url=f"{self._base_url}/models", key_hint=auth.hint
        )

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
        return await self._models.list_models()

    async def check_health(self) -> ProviderHealth:
        return await self._models.check_health()

    async def _answer(self, path: str, request: ChatCompletionRequest | CompletionRequest) -> Reply | EventStream:
        body = request.wire()
        if self._max_tokens is not None and "max_tokens" not in body and "max_completion_tokens" not in body:
            body["max_tokens"] = self._max_tokens
        outgoing = self._outgoing(path, body)
        if request.stream:
            whole = partial(as_events, with_usage=request.wants_usage)
            return await self._http.stream(outgoing, ending=FinishReasons(choices_of(request)), whole=whole)
        return await self._http.reply(outgoing, member="choices")

    def _outgoing(self, path: str, body: Json) -> Outgoing:
        if (loop := self._models.loop) is not None:
            raise LeadsBack(loop.message, hint=loop.hint)
        return json_request(self._base_url + path, body)


def _address(base_url: str, version_path: str) -> str:
    """`base_url` without a slash at the end, and with the version's path if it has no path."""
    address = base_url.strip().rstrip("/")
    try:
        names_no_path = bool(address) and not urlsplit(address).path
    except ValueError:  # half an IPv6 address; the call reports it
        names_no_path = False
    return address + version_path if names_no_path else address
