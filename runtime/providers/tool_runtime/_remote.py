"""What all tools share that a vendor runs: a provider that waits for its key."""

from __future__ import annotations

from runtime.apis.providers.protocol import ProviderHealth
from runtime.http.auth import Auth
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers.tool_runtime._remote_config import RemoteToolConfig


class RemoteTool:
    """A vendor whose key a caller may bring. auth: with a required key. default_url: the vendor's own address."""

    def __init__(self, auth: Auth, default_url: str, config: RemoteToolConfig, context: ProviderContext) -> None:
        self.url = (config.base_url or default_url).rstrip("/")
        self.provider_id = context.provider_id
        self._keys = context.keys
        limits = Timeouts(connect_s=config.connect_timeout_s, read_s=config.timeout_s, total_s=config.timeout_s)
        self.http: HttpClient = context.http.with_auth(auth, address=self.url, timeouts=limits)

    async def check_health(self) -> ProviderHealth:
        """Without a configured key it waits for one in each request."""
        if self._keys.configured() is None:
            return unhealthy(f"no key: {self._keys.how_to_give}", state="needs-key")
        return healthy()
