"""Settings of Weaviate, by the names of llama-stack and ogx."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr

from runtime.providers.vector_io._shared.config import Address, VectorConfig


class WeaviateConfig(VectorConfig):
    """Where the cluster is."""

    weaviate_cluster_url: Address = Field(
        "http://localhost:8080", description="The cluster's address; of one at Weaviate Cloud with `https://`."
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("api_key", "weaviate_api_key"),
        description="Its API key, if it wants one.",
    )
    timeout_s: float = Field(60.0, gt=0, description="The longest wait for an answer, in seconds.")
