"""Chroma, in this process. https://docs.trychroma.com"""

from runtime.spec import inline

SPEC = inline(
    "chromadb",
    summary="Chroma in this process: an approximate index on disk",
    adapter=".adapter:embedded_chroma",
    config=".config:ChromaConfig",
    packages=("chromadb>=1.5", "numpy>=1.26"),
    default=True,
    sample_config={"db_path": "${env.CHROMADB_PATH:=}"},
    evidence="live",
    evidence_note="the library itself, a process that is killed, and 10,000 vectors against the exact answer",
)
