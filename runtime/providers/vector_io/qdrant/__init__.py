"""Qdrant's engine, in this process. https://qdrant.tech/documentation/edge"""

from runtime.spec import inline

SPEC = inline(
    "qdrant",
    summary="Qdrant's engine in this process: exact search on disk",
    adapter=".adapter:embedded_qdrant",
    config=".config:QdrantConfig",
    packages=("qdrant-edge-py>=0.9", "numpy>=1.26"),
    sample_config={"path": "${env.QDRANT_PATH:=}"},
    evidence="live",
    evidence_note="the library itself, a process that is killed, and 10,000 vectors against the exact answer",
)
