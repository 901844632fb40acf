"""The tool `knowledge_search`, which the models of older systems search documents with. No key, no network."""

from runtime.spec import inline

SPEC = inline(
    "file-search",
    summary="Search in vector stores, as a tool",
    adapter=".adapter:FileSearch",
    needs=("vector_stores",),
    aliases=("inline::rag-runtime",),
    serves=("builtin::rag", "builtin::file_search"),
    evidence="live",
    evidence_note="vector stores of this stack, and llama-stack's own clients",
)
