"""Weaviate: vectors in collections of a cluster. https://docs.weaviate.io"""

from runtime.spec import remote, wire

SPEC = remote(
    "weaviate",
    summary="Weaviate: an approximate index of a cluster",
    adapter=".server:remote_weaviate",
    config=".config:WeaviateConfig",
    enabled_by="WEAVIATE_CLUSTER_URL",
    sample_config={
        "weaviate_cluster_url": "${env.WEAVIATE_CLUSTER_URL:=http://localhost:8080}",
        "api_key": "${env.WEAVIATE_API_KEY:=}",
    },
    evidence=wire(
        "a local server that checks the documented requests, with an exact search behind it, asked in both"
        " of Weaviate's ways"
    ),
)
