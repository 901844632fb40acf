"""Infinispan: vectors in indexed caches of a cluster. https://infinispan.org/docs/stable/titles/query/query.html"""

from runtime.spec import Moved, remote, wire

SPEC = remote(
    "infinispan",
    summary="Infinispan: an approximate index of a cluster",
    adapter=".server:remote_infinispan",
    config=".config:InfinispanConfig",
    enabled_by="INFINISPAN_URL",
    older={"verify_tls": Moved("network.tls.verify")},
    sample_config={
        "url": "${env.INFINISPAN_URL:=http://localhost:11222}",
        "username": "${env.INFINISPAN_USERNAME:=}",
        "password": "${env.INFINISPAN_PASSWORD:=}",
    },
    evidence=wire("a local server that checks the documented requests, with an exact search behind it"),
)
