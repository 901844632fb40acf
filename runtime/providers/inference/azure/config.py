"""Settings of Azure OpenAI."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig

_ENTRA = ("azure_ad", "azuread", "entra")


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
        None,
        description="`azure` if the key is the resource's, which is the default. `azure_ad` for tokens of Entra ID:"
        " `api_key` is one then, or, without it, they are got for the application below, for the identity of the app or"
        " machine that this runs on, or for the user of `az login`.",
    )
    tenant_id: str | None = Field(None, description="The tenant of the application. By default `AZURE_TENANT_ID`.")
    client_id: str | None = Field(
        None, description="The application, or the user-assigned identity. By default `AZURE_CLIENT_ID`."
    )
    client_secret: SecretStr | None = Field(
        None,
        description="The application's secret. By default `AZURE_CLIENT_SECRET`, else the token in the file that"
        " `AZURE_FEDERATED_TOKEN_FILE` names.",
    )
    token_scope: str = Field(
        "https://cognitiveservices.azure.com/.default",
        min_length=1,
        description="What the tokens are for; another one in the clouds of governments. The default is"
        " `https://cognitiveservices.azure.com/.default`.",
    )

    @property
    def wants_tokens(self) -> bool:
        """Whether tokens of Entra ID are sent, not the resource's key."""
        return (self.api_type or "").strip().lower() in _ENTRA
