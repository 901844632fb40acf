"""The two forms of address and of key that Azure has.

https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference
"""

from __future__ import annotations

from urllib.parse import quote

from runtime.errors import Unavailable
from runtime.http.auth import Auth, Bearer, NamedHeader
from runtime.provider import ProviderContext
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.reranking import in_path
from runtime.providers.inference.azure.config import AzureConfig

_ENTRA = ("azure_ad", "azuread", "entra")


class AzureInference(OpenAICompatibleInference):
    """Chat, completions and embeddings at Azure. Raises as `OpenAICompatibleInference` does, and Unavailable for the
    path of a deployment without an API version.
    """

    def __init__(self, config: AzureConfig, context: ProviderContext) -> None:
        self._version = (config.api_version or "").strip()
        super().__init__(config, context)

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        assert isinstance(config, AzureConfig)
        if (config.api_type or "").strip().lower() in _ENTRA:
            return Bearer(context.keys, required=True)
        return NamedHeader("api-key", context.keys, required=True)

    def url(self, path: str, model: str) -> str:
        """Raises Unavailable for the path of a deployment without an API version."""
        base_url, query = self._base_url, f"?api-version={quote(self._version)}" if self._version else ""
        if "/openai/deployments/" in base_url:
            if not query:
                raise Unavailable("the path of a deployment needs an API version", hint="set `api_version`")
            return base_url + path + query
        is_dated = self._version[:1].isdigit()
        if base_url.endswith("/v1"):
            return base_url + path + ("" if is_dated else query)
        resource = base_url.removesuffix("/openai")
        if is_dated:
            return f"{resource}/openai/deployments/{in_path(model, safe='')}{path}{query}"
        return f"{resource}/openai/v1{path}{query}"
