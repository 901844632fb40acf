"""What is special about Anthropic's endpoint for OpenAI's clients: its keys, and what it does with system messages.

https://docs.claude.com/en/api/openai-sdk, https://docs.claude.com/en/api/models-list
"""

from __future__ import annotations

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.context import warn
from runtime.http.auth import Auth, Bearer, NamedHeader
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.sse import EventStream, Reply


class AnthropicInference(OpenAICompatibleInference):
    """Chat at Anthropic. Raises as `OpenAICompatibleInference` does."""

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        is_system = [message["role"] in ("system", "developer") for message in request.messages]
        if is_system != sorted(is_system, reverse=True):
            warn(f"system messages are moved to the front: `{self._provider_id}` has one place for them")
        return await super().chat_completion(request)

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        return _EitherHeader(context)


class _EitherHeader:
    """`Authorization: Bearer` for chat, `x-api-key` for Anthropic's own list of models."""

    def __init__(self, context: ProviderContext) -> None:
        self._chat = Bearer(context.keys, required=True)
        self._native = NamedHeader("x-api-key", context.keys, required=True)
        self.hint = self._chat.hint

    async def apply(self, request: Outgoing) -> Outgoing:
        return await (self._native if request.method == "GET" else self._chat).apply(request)
