"""Elasticsearch: vectors in indices of a cluster. https://www.elastic.co/docs/solutions/search/vector/knn"""

from runtime.spec import remote, wire

SPEC = remote(
    "elasticsearch",
    summary="Elasticsearch: an approximate index of a cluster",
    adapter=".server:remote_elasticsearch",
    config=".config:ElasticsearchConfig",
    enabled_by="ELASTICSEARCH_URL",
    sample_config={
        "elasticsearch_url": "${env.ELASTICSEARCH_URL:=http://localhost:9200}",
        "api_key": "${env.ELASTICSEARCH_API_KEY:=}",
    },
    evidence=wire("a local server that checks the documented requests, with an exact search behind it"),
)
