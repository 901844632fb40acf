"""The settings that all tools share which a vendor runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr

from runtime.apis._names import ServerAddress

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RemoteToolConfig(BaseModel):
    """Also under the names of older configs."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    api_key: SecretStr | None = Field(
        None, description="The key; without one, requests send theirs in `X-LlamaStack-Provider-Data`."
    )
    base_url: ServerAddress | None = Field(
        None, description="Where its requests go; by default the vendor's own address."
    )
    timeout_s: _Seconds = Field(
        30.0,
        validation_alias=AliasChoices("timeout_s", "timeout"),
        description="The longest that a call may take, in seconds.",
    )
    connect_timeout_s: _Seconds = Field(
        10.0,
        validation_alias=AliasChoices("connect_timeout_s", "connect_timeout"),
        description="The longest wait for a connection, in seconds.",
    )
