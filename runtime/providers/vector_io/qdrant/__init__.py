"""Qdrant: its engine in this process, and as a server. https://qdrant.tech/documentation"""

from runtime.spec import NoEffect, inline, live, remote, wire

SPECS = (
    inline(
        "qdrant",
        summary="Qdrant's engine in this process: exact search on disk",
        adapter=".adapter:embedded_qdrant",
        config=".config:QdrantConfig",
        packages=("qdrant-edge-py>=0.9", "numpy>=1.26"),
        sample_config={"path": "${env.QDRANT_PATH:=}"},
        evidence=live("the library itself, a process that is killed, and 10,000 vectors against the exact answer"),
    ),
    remote(
        "qdrant",
        summary="A Qdrant server: an approximate index",
        adapter=".server:remote_qdrant",
        config=".config:QdrantServerConfig",
        enabled_by="QDRANT_URL",
        older=dict.fromkeys(("grpc_port", "prefer_grpc"), NoEffect("it is asked over HTTP")),
        sample_config={"url": "${env.QDRANT_URL:=http://localhost:6333}", "api_key": "${env.QDRANT_API_KEY:=}"},
        evidence=wire("a local server that checks the documented requests, with Qdrant's own engine behind it"),
    ),
)
