"""Settings of Llama Guard at SambaNova."""

from __future__ import annotations

from pydantic import AliasChoices, ConfigDict, Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.safety._llama_guard.settings import Form, GuardSettings


class SambaNovaSafetyConfig(GuardSettings):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    base_url: ServerAddress = Field(
        "https://api.sambanova.ai/v1",
        validation_alias=AliasChoices("base_url", "url"),
        description="The address of the API with its version path.",
    )
    api_key: SecretStr | None = Field(
        None, description="The key; without one, requests send theirs in `X-LlamaStack-Provider-Data`."
    )
    timeout_s: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="The longest that a verdict may take, in seconds."
    )
    form: Form = Field(
        "conversation",
        description="What the model is sent. `conversation`: the messages, as llama-stack does; the chat template of"
        " the model writes the task around them, with all of its categories. `task`: the whole task in one message, for"
        " categories of your own.",
    )
