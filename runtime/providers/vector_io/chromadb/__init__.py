"""Chroma, in this process and as a server. https://docs.trychroma.com"""

from runtime.spec import inline, live, remote

_LIBRARY = (
    "chromadb>=1.5.9,<1.6 --no-deps",  # what else it names is for its server and for embedding: 350 MB
    "httpx>=0.27",
    "jsonschema>=4.19",
    "numpy>=1.26",
    "opentelemetry-exporter-otlp-proto-grpc>=1.20",
    "opentelemetry-sdk>=1.20",
    "orjson>=3.9",
    "overrides>=7.3",
    "pybase64>=1.4",
    "pydantic-settings>=2",
    "pyyaml>=6",
    "tenacity>=8.2",
)

SPECS = (
    inline(
        "chromadb",
        summary="Chroma in this process: an approximate index on disk",
        adapter=".adapter:embedded_chroma",
        config=".config:ChromaConfig",
        packages=_LIBRARY,
        default=True,
        sample_config={"db_path": "${env.CHROMADB_PATH:=}"},
        evidence=live("the library itself, a process that is killed, and 10,000 vectors against the exact answer"),
    ),
    remote(
        "chromadb",
        summary="A Chroma server: an approximate index",
        adapter=".server:remote_chroma",
        config=".config:ChromaServerConfig",
        enabled_by="CHROMADB_URL",
        sample_config={
            "url": "${env.CHROMADB_URL:=http://localhost:8000}",
            "api_key": "${env.CHROMADB_API_KEY:=}",
        },
        evidence=live("a real server, and 10,000 vectors against the exact answer"),
    ),
)
