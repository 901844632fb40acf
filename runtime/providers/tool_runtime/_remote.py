"""What all tools share that a vendor runs: their settings, and a provider that waits for its key."""

from __future__ import annotations

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr

from runtime.apis.providers import ProviderHealth
from runtime.http.auth import Auth
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.provider import ProviderContext, healthy, unhealthy


class RemoteToolConfig(BaseModel):
    """Also under the names of older configs."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    api_key: SecretStr | None = Field(
        None, description="The key; without one, requests send theirs in `X-LlamaStack-Provider-Data`."
    )
    base_url: str | None = Field(None, description="Where its requests go; by default the vendor's own address.")
    timeout_s: float = Field(
        30.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias=AliasChoices("timeout_s", "timeout"),
        description="The longest that a call may take, in seconds.",
    )
    connect_timeout_s: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias=AliasChoices("connect_timeout_s", "connect_timeout"),
        description="The longest wait for a connection, in seconds.",
    )


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
