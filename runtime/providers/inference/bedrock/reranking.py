"""Reranking on Bedrock: by the operation of its agents, which takes signatures, or by the model itself, which also
takes keys.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/rerank-use.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-reference.html (read November 2026)
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.providers.inference._openai_compatible.spec import Rerank
from runtime.sse import Json

BY_AGENTS = Rerank(results="results", score="relevanceScore")
BY_MODEL = Rerank(results="results", score="relevance_score")
"""How each of them answers."""
MOST_DOCUMENTS = 1000


def agents_body(query: str, documents: Sequence[str], *, top_n: int | None, arn: str) -> Json:
    """arn: of the model."""
    sources = [
        {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}}}
        for text in documents
    ]
    model: Json = {"modelConfiguration": {"modelArn": arn}}
    if top_n is not None:
        model["numberOfResults"] = min(top_n, len(documents))
    return {
        "queries": [{"type": "TEXT", "textQuery": {"text": query}}],
        "sources": sources,
        "rerankingConfiguration": {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": model},
    }


def model_body(query: str, documents: Sequence[str], *, top_n: int | None, base: str) -> Json:
    """base: the model's id; Cohere's wants a version of its API."""
    body: Json = {"query": query, "documents": list(documents)}
    if top_n is not None:
        body["top_n"] = min(top_n, len(documents))
    return body | ({"api_version": 2} if base.startswith("cohere.") else {})
