"""Settings of files in a bucket."""

from __future__ import annotations

from pydantic import Field, SecretStr

from runtime.providers.files._shared.config import FilesConfig


class S3FilesConfig(FilesConfig):
    """A bucket, how it is reached, and the settings of all providers of files."""

    bucket_name: str = Field(min_length=1, description="The bucket.")
    region: str = Field("us-east-1", description="Its region.")
    endpoint_url: str | None = Field(
        None, description="The address of another server than Amazon's, such as `http://localhost:9000`."
    )
    aws_access_key_id: SecretStr | None = Field(
        None,
        description="The id of the key. By default what AWS's own variables say, or the machine's role.",
    )
    aws_secret_access_key: SecretStr | None = Field(None, description="The key itself.")
    aws_session_token: SecretStr | None = Field(None, description="The token of a temporary key.")
    auto_create_bucket: bool = Field(False, description="Make the bucket if it is not there. The default is no.")
    key_prefix: str = Field("", description="Put before the name of every object, such as `files/`.")
