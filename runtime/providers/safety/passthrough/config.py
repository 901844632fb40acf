"""Settings of a server whose moderations are asked for."""

from __future__ import annotations

from pydantic import ConfigDict, Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers._vendors.passthrough.settings import ForwardsHeaders


class PassthroughSafetyConfig(ForwardsHeaders):
    model_config = ConfigDict(extra="forbid")

    base_url: ServerAddress = Field(
        description="The address of its API with the version path, such as `https://api.openai.com/v1`; moderations are"
        " at `/moderations` below it."
    )
    api_key: SecretStr | None = Field(
        None, description="The key; requests may send their own as `passthrough_api_key`. Default: none."
    )
    timeout_s: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="The longest that a moderation may take, in seconds."
    )
