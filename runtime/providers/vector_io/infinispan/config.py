"""Settings of Infinispan, by the names of ogx."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from runtime.providers.vector_io._shared.config import Address, VectorConfig


class InfinispanConfig(VectorConfig):
    """Where the cluster is."""

    url: Address = Field("http://localhost:11222", description="The address of one of its servers.")
    username: str | None = Field(None, description="The user, if it wants one.")
    password: SecretStr | None = Field(None, description="The user's password.")
    use_https: bool = Field(False, description="Whether it is asked over TLS, also if `url` begins with `http://`.")
    auth_mechanism: Literal["digest", "basic"] = Field(
        "digest",
        description="How the user is proven. With `digest` requests go one after the other, since a server takes their"
        " numbers only in order; with `basic` the password is sent, so that it needs TLS.",
    )
    timeout_s: float = Field(60.0, gt=0, description="The longest wait for an answer, in seconds.")

    def address(self) -> str:
        """Without a slash at its end."""
        scheme, _, place = self.url.partition("://")
        return f"{'https' if self.use_https else scheme}://{place}"
