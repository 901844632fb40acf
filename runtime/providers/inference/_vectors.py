"""What every provider of embeddings with a form of its own does alike: the texts of each request, and OpenAI's form of
the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.apis.inference.protocol import EmbeddingsRequest
from runtime.sse import Reply


def batches_of(request: EmbeddingsRequest, size: int) -> list[list[Any]]:
    """The texts, as many at once as a request takes."""
    texts: list[Any] = [request.input] if isinstance(request.input, str) else list(request.input)
    return [texts[at : at + size] for at in range(0, len(texts), size)]


def listed(model: str, vectors: Sequence[Any], counts: Sequence[int | None]) -> Reply:
    """OpenAI's form. vectors: one for each text. counts: tokens of each of the vendor's answers; None where it says
    none, and then there is no `usage`.
    """
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    known = [count for count in counts if count is not None]
    usage = {"usage": {"prompt_tokens": sum(known), "total_tokens": sum(known)}} if len(known) == len(counts) else {}
    return Reply.of({"object": "list", "model": model, "data": data, **usage})
