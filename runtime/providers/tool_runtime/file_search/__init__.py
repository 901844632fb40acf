"""The tool `knowledge_search`, which the models of older systems search documents with. No key, no network."""

from runtime.spec import NoEffect, inline, live

SPEC = inline(
    "file-search",
    summary="Search in vector stores, as a tool",
    adapter=".adapter:FileSearch",
    needs=("vector_stores",),
    aliases=("inline::rag-runtime",),
    older={  # 0.4 to 1.5
        "vector_stores_config": NoEffect("what holds for searches in vector stores is in the section `vector_stores`")
    },
    serves=("builtin::rag", "builtin::file_search"),
    evidence=live("vector stores of this stack, and llama-stack's own clients"),
)
