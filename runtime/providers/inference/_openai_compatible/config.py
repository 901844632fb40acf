"""Settings of a vendor with OpenAI's protocol, also under the names of older configs."""

from __future__ import annotations

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr

from runtime.apis._names import ServerAddress


class OpenAICompatibleConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True, populate_by_name=True, protected_namespaces=())

    base_url: ServerAddress | None = Field(
        None,
        validation_alias=AliasChoices("base_url", "url", "openai_compat_api_base"),
        description="The address of the API with its version path; by default the vendor's own address.",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("api_key", "api_token", "auth_credential"),
        description="The key; without one, requests send theirs in `X-LlamaStack-Provider-Data`.",
    )
    allowed_models: list[str] | None = Field(
        None, description="Serve only these; by default all that the vendor lists."
    )
    refresh_models: bool = Field(True, description="Ask again for the vendor's models every few minutes.")
    connect_timeout_s: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest wait for a connection, in seconds. The same as `network.timeout.connect`.",
    )
    timeout_s: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        validation_alias=AliasChoices("timeout_s", "timeout"),
        description="Longest silence of the vendor, in seconds; by default 600 before the first byte of an answer and "
        "300 after it. `network.timeout` sets both and more.",
    )
    max_tokens: int | None = Field(None, ge=1, description="Sent if a request has no limit of its own.")
