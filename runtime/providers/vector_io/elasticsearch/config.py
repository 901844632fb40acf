"""Settings of Elasticsearch, by the names of llama-stack and ogx."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr

from runtime.providers.vector_io._shared.config import Address, VectorConfig


class ElasticsearchConfig(VectorConfig):
    """Where the cluster is."""

    elasticsearch_url: Address = Field("http://localhost:9200", description="The cluster's address.")
    api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("api_key", "elasticsearch_api_key"),
        description="Its API key in the encoded form, if it wants one.",
    )
    timeout_s: float = Field(60.0, gt=0, description="The longest wait for an answer, in seconds.")
