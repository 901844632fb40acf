"""Inference at a server that the callers bring headers for."""

from __future__ import annotations

from runtime.http.auth import Auth, Bearer
from runtime.provider import ProviderContext
from runtime.providers._vendors.passthrough.headers import ForwardedHeaders
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference.passthrough.config import PassthroughConfig


class PassthroughInference(OpenAICompatibleInference):
    """As any server with OpenAI's protocol, with the headers that its callers bring."""

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        """The key, and the callers' own headers."""
        assert isinstance(config, PassthroughConfig)
        return ForwardedHeaders(Bearer(context.keys), config.forward_headers)
