"""Settings of Vertex AI: whose project, where, and who calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from runtime.apis._names import ServerAddress
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._readable import ReadableAddresses
from runtime.unset import OptionalText, none_for_empty

LOCATION = r"[a-z0-9-]{1,63}"
PROJECT = r"(?:[a-z0-9-]{1,60}(?:\.[a-z0-9-]{1,60}){1,3}:)?[a-z0-9-]{1,63}"


class VertexAIConfig(OpenAICompatibleConfig):
    project: OptionalText = Field(
        None,
        pattern=f"^(?:{PROJECT})$",
        description="The project, by id or number. By default `GOOGLE_CLOUD_PROJECT`, or the one of the credentials.",
    )
    location: OptionalText = Field(
        None,
        pattern=f"^{LOCATION}$",
        description="The region, such as `us-central1`, or `us`, `eu` or `global`. The default is `global`.",
    )
    access_token: SecretStr | None = Field(
        None,
        description="A token, as `gcloud auth print-access-token` prints it, valid for an hour. By default one is got"
        " for whoever this server runs as.",
    )
    credentials_file: Annotated[Path | None, BeforeValidator(none_for_empty)] = Field(
        None,
        description="A file of credentials: a service account's key, a user's, or workload identity. By default"
        " `GOOGLE_APPLICATION_CREDENTIALS`, what `gcloud auth application-default login` has written, or the machine's"
        " service account.",
    )
    readable_addresses: ReadableAddresses = Field(default_factory=list)
    ranking_url: ServerAddress | None = Field(
        None,
        description="The address of the Ranking API with its version path; by default `base_url`, if that is set, else"
        " Google's.",
    )

    @model_validator(mode="after")
    def _token_as_key(self) -> VertexAIConfig:
        if self.access_token is not None and self.access_token.get_secret_value().strip():
            self.api_key = self.access_token
        return self
