"""Settings of Azure OpenAI."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from runtime.apis._names import ServerAddress
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig


class AzureConfig(OpenAICompatibleConfig):
    base_url: ServerAddress | None = Field(
        None,
        validation_alias=AliasChoices("base_url", "api_base", "url"),
        description="The address of the resource, `https://NAME.openai.azure.com`, or with `/openai/v1` or the path of"
        " one deployment.",
    )
    api_version: str | None = Field(
        None,
        description="A date such as `2024-10-21` sends requests to the path of each deployment; without one, or with"
        " `preview`, they go to `/openai/v1`, as they do if `base_url` ends so.",
    )
    api_type: str | None = Field(
        None, description="`azure` if the key is the resource's, which is the default; `azure_ad` for an Entra token."
    )
