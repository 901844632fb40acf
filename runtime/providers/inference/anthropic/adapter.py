"""The key of Anthropic's API, which its endpoint for OpenAI's clients takes in another header than its list of models.

https://docs.claude.com/en/api/models-list
"""

from __future__ import annotations

from runtime.http.auth import Auth, Bearer, NamedHeader
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig


class AnthropicInference(OpenAICompatibleInference):
    """Chat at Anthropic. Raises as `OpenAICompatibleInference` does."""

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
