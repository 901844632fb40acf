"""Settings of files in a bucket."""

from __future__ import annotations

from pydantic import Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.files._shared.config import FilesConfig
from runtime.providers.files.s3.network import S3Network


class S3FilesConfig(FilesConfig):
    """A bucket, how it is reached, and the settings of all providers of files."""

    bucket_name: str = Field(min_length=1, description="The bucket.")
    region: str = Field("us-east-1", description="Its region.")
    endpoint_url: ServerAddress | None = Field(
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
    network: S3Network | None = Field(
        None,
        description="How its servers are reached, as of any provider, without client certificates, versions and"
        " ciphers of TLS, `timeout.first_byte` and `limits.max_connections`.",
    )

    @property
    def address(self) -> str:
        """Of the server. Amazon's own has the bucket's name before it."""
        return self.endpoint_url or f"https://s3.{self.region}.amazonaws.com"
