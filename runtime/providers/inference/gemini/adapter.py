"""Names the project that pays for a request with an OAuth token. https://ai.google.dev/gemini-api/docs/oauth"""

from __future__ import annotations

from runtime.http.auth import Auth, Bearer
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference.gemini.config import GeminiConfig


class GeminiInference(OpenAICompatibleInference):
    """Chat and embeddings at Gemini. Raises as `OpenAICompatibleInference` does."""

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        assert isinstance(config, GeminiConfig)
        return _WithProject(context, config.project) if config.project else Bearer(context.keys, required=True)


class _WithProject(Bearer):
    """Not with a caller's key: the project is the configured token's."""

    def __init__(self, context: ProviderContext, project: str) -> None:
        super().__init__(context.keys, required=True)
        self._project = project

    async def apply(self, request: Outgoing) -> Outgoing:
        sent = await super().apply(request)
        return sent if sent.key_is_callers else sent.with_headers({"x-goog-user-project": self._project})
