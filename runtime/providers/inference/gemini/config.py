"""Settings of Gemini: a key, or an OAuth token with the project that pays."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from runtime.apis._names import ServerAddress
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._readable import ReadableAddresses

_FOR_OPENAI = "/openai"


class GeminiConfig(OpenAICompatibleConfig):
    base_url: ServerAddress | None = Field(
        None,
        validation_alias=AliasChoices("base_url", "url"),
        description="The address of the API with its version path; by default Google's. An `/openai` at its end, as in"
        " older configs, is not needed.",
    )
    access_token: SecretStr | None = Field(None, description="An OAuth token of Google's, used instead of the key.")
    project: str | None = Field(None, description="The Google Cloud project that pays, for an OAuth token.")
    readable_addresses: ReadableAddresses = Field(default_factory=list)

    @field_validator("base_url")
    @classmethod
    def _own_form(cls, given: str | None) -> str | None:
        return given and given.rstrip("/").removesuffix(_FOR_OPENAI)

    @property
    def has_token(self) -> bool:
        return self.access_token is not None and bool(self.access_token.get_secret_value().strip())

    @model_validator(mode="after")
    def _token_as_key(self) -> GeminiConfig:
        if self.has_token:
            self.api_key = self.access_token
        return self
