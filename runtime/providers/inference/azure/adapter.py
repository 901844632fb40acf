"""The two forms of address and of key that Azure has.

https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference
"""

from __future__ import annotations

from urllib.parse import quote

from runtime.apis.providers.protocol import ProviderHealth
from runtime.errors import Unavailable
from runtime.http.auth import Auth, NamedHeader
from runtime.http.tokens import TokenBearer
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers._vendors.azure.identity import HINT, Application, AzureIdentity
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.reranking import in_path
from runtime.providers.inference.azure.config import AzureConfig


class AzureInference(OpenAICompatibleInference):
    """Chat, completions and embeddings at Azure. Raises as `OpenAICompatibleInference` does, and Unavailable for the
    path of a deployment without an API version.
    """

    def __init__(self, config: AzureConfig, context: ProviderContext) -> None:
        self._version = (config.api_version or "").strip()
        self._tokens: TokenBearer | None = None
        super().__init__(config, context)

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        assert isinstance(config, AzureConfig)
        if config.wants_tokens:
            application = Application(
                scope=config.token_scope,
                tenant_id=config.tenant_id,
                client_id=config.client_id,
                client_secret=config.client_secret,
            )
            identity = AzureIdentity(application, context.http, provider_id=context.provider_id)
            self._tokens = TokenBearer(context.keys, identity.token, hint=HINT)
            return self._tokens
        return NamedHeader("api-key", context.keys, required=True)

    async def check_health(self) -> ProviderHealth:
        """Whether there is a key, or a token for whoever this server runs as."""
        if self._tokens is None:
            return await super().check_health()
        try:
            await self._tokens.apply(Outgoing(method="GET", url=self._base_url))
        except Unavailable as error:
            return unhealthy(f"{error.message} ({error.hint})" if error.hint else error.message, state="needs-key")
        return healthy()

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
