"""Settings of Gemini: a key, or an OAuth token with the project that pays."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig


class GeminiConfig(OpenAICompatibleConfig):
    access_token: SecretStr | None = Field(None, description="An OAuth token of Google's, used instead of the key.")
    project: str | None = Field(None, description="The Google Cloud project that pays, for an OAuth token.")

    @model_validator(mode="after")
    def _token_as_key(self) -> GeminiConfig:
        if self.access_token is not None and self.access_token.get_secret_value().strip():
            self.api_key = self.access_token
        return self
