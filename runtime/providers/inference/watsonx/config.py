"""Settings of IBM watsonx.ai."""

from __future__ import annotations

from typing import Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from runtime.apis._names import ServerAddress
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.unset import OptionalSecret, OptionalText

_API = "/ml/v1"


class WatsonxConfig(OpenAICompatibleConfig):
    base_url: ServerAddress | None = Field(
        None,
        validation_alias=AliasChoices("base_url", "url"),
        description="The address of a region, or of a cluster of yours; by default that of Dallas.",
    )
    project_id: OptionalText = Field(
        None,
        description="The project that is charged. A caller may name another as `watsonx_project_id` in"
        " `X-LlamaStack-Provider-Data`.",
    )
    space_id: OptionalText = Field(None, description="The deployment space that is charged, in place of a project.")
    version: str = Field(
        "2025-12-05",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="The date whose form of the API is asked for. The default is 2025-12-05.",
    )
    iam_url: ServerAddress | None = Field(
        None,
        description="Where tokens are given for API keys; by default IBM Cloud's public address, or that of IBM's"
        " platform for its regions in Amazon's cloud.",
    )
    token: OptionalSecret = Field(
        None, description="A token that you have got yourself, in place of a key; it expires."
    )
    username: OptionalText = Field(
        None,
        description="Your user in a cluster with IBM Software Hub (Cloud Pak for Data), which then gives the tokens.",
    )
    password: OptionalSecret = Field(None, description="That user's password, in place of an API key.")
    zen_api_key: OptionalSecret = Field(
        None, description="The base64 of `USER:API_KEY` of such a cluster, which is sent as it is."
    )

    @field_validator("base_url")
    @classmethod
    def _without_path(cls, given: str | None) -> str | None:
        return given and given.rstrip("/").removesuffix(_API)

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        names = ("api_key", "token", "password", "zen_api_key")
        given: dict[str, SecretStr | None] = {name: getattr(self, name) for name in names}
        named = [name for name, secret in given.items() if secret is not None and secret.get_secret_value().strip()]
        if len(named) > 1:
            raise ValueError(f"give one of {', '.join(f'`{name}`' for name in named)}, not all of them")
        if self.password is not None and self.username is None:
            raise ValueError("`password` goes with `username`")
        if self.username is not None and self.base_url is None:
            raise ValueError("`username` goes with `base_url`, the address of your cluster")
        if named:
            self.api_key = given[named[0]]
        return self
