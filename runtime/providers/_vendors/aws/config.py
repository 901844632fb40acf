"""The settings that all providers share which call a service of AWS: who calls, and in which region.

Names are those of llama-stack. What is not set is taken from AWS's own variables and files, as by its other programs:
https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html (read November 2026).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from runtime.apis._names import ServerAddress
from runtime.unset import OptionalSecret, OptionalText, none_for_empty


class AwsConfig(BaseModel):
    """Who calls AWS, and where."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    region_name: OptionalText = Field(
        None,
        pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$",
        description="The region, such as `us-east-1`. By default that of `AWS_REGION`, `AWS_DEFAULT_REGION` or the"
        " profile.",
    )
    aws_access_key_id: OptionalSecret = Field(
        None,
        description="The id of the key. By default that of AWS's own variables, of the profile, or of the role that the"
        " container or machine has.",
    )
    aws_secret_access_key: OptionalSecret = Field(None, description="The key itself.")
    aws_session_token: OptionalSecret = Field(None, description="The token of a temporary key.")
    profile_name: OptionalText = Field(
        None,
        description="The profile in the files of `aws configure`. By default `AWS_PROFILE`, else `default`.",
    )
    aws_role_arn: OptionalText = Field(
        None, description="A role to take on, by its ARN. By default `AWS_ROLE_ARN` where it goes with a token's file."
    )
    aws_web_identity_token_file: Annotated[Path | None, BeforeValidator(none_for_empty)] = Field(
        None,
        description="The file of a token, read each time, that is exchanged for that role. By default"
        " `AWS_WEB_IDENTITY_TOKEN_FILE`.",
    )
    aws_role_session_name: OptionalText = Field(
        None, description="How AWS's logs call us in that role. By default `AWS_ROLE_SESSION_NAME`, else `llama-stack`."
    )
    session_ttl: int = Field(
        3600, ge=900, le=43200, description="How long that role is taken on for, in seconds. The default is 3600."
    )
    endpoint_url: ServerAddress | None = Field(
        None, description="The address of the service, such as that of a VPC. By default Amazon's in the region."
    )

    @model_validator(mode="after")
    def _key_is_whole(self) -> Self:
        given = (self.aws_access_key_id is None, self.aws_secret_access_key is None)
        if len({*given}) == 2:
            raise ValueError("give both `aws_access_key_id` and `aws_secret_access_key`, or none of them")
        if self.aws_session_token is not None and self.aws_access_key_id is None:
            raise ValueError("`aws_session_token` goes with `aws_access_key_id` and `aws_secret_access_key`")
        if self.aws_web_identity_token_file is not None and self.aws_role_arn is None:
            raise ValueError("`aws_web_identity_token_file` goes with `aws_role_arn`")
        return self
