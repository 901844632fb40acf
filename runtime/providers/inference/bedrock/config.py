"""Settings of models on Bedrock."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, ConfigDict, Field

from runtime.providers._vendors.aws.config import AwsConfig
from runtime.providers.inference._readable import ReadableAddresses
from runtime.unset import OptionalSecret


class BedrockConfig(AwsConfig):
    """Who calls Bedrock, where, and how chats are asked."""

    model_config = ConfigDict(populate_by_name=True)

    api_key: OptionalSecret = Field(
        None,
        validation_alias=AliasChoices("api_key", "aws_bedrock_bearer_token", "aws_bearer_token_bedrock"),
        description="A key for Bedrock. By default that of `AWS_BEARER_TOKEN_BEDROCK`, unless `aws_access_key_id`,"
        " `profile_name` or `aws_role_arn` is set; without one, requests are signed with AWS's credentials. Callers"
        " send theirs as `aws_bearer_token_bedrock` in `X-LlamaStack-Provider-Data`.",
    )
    protocol: Literal["auto", "converse", "openai", "mantle"] = Field(
        "auto",
        description="How chats are asked: `converse` is Bedrock's own, for every model; `openai` is OpenAI's, on the"
        " same host; `mantle` is OpenAI's on `bedrock-mantle`, which has a list of models of its own. The default,"
        " `auto`, takes `openai` for OpenAI's models and `converse` for all others.",
    )
    allowed_models: list[str] | None = Field(
        None,
        description="Serve only these models and inference profiles, also if Bedrock may not be asked for its list. By"
        " default all that Bedrock lists.",
    )
    readable_addresses: ReadableAddresses = Field(default_factory=list)
    refresh_models: bool = Field(True, description="Ask again for the list of models every few minutes. Default: true.")
    max_tokens: int | None = Field(
        None, ge=1, description="Sent if a request has no limit of its own. By default the model's own limit is used."
    )

    @property
    def says_who_calls(self) -> bool:
        """Whether it names credentials of AWS, which then come before a key in this process's variables."""
        return any((self.aws_access_key_id, self.profile_name, self.aws_role_arn))
