"""Vectors of Google's models, and OpenAI's form of them.

https://ai.google.dev/api/embeddings and
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api (read November 2026)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from runtime.apis.inference.protocol import EmbeddingsRequest
from runtime.sse import Json, Reply

_OURS = ("model", "input", "encoding_format", "dimensions")
_TASKS = ("task_type", "taskType", "input_type")
"""Names of what the vectors are for: Google's own, and that of other vendors."""
_OF_OTHERS = {
    **dict.fromkeys(("query", "search_query"), "RETRIEVAL_QUERY"),
    **dict.fromkeys(("passage", "document", "search_document"), "RETRIEVAL_DOCUMENT"),
}
"""Other vendors' words for a task, and Google's."""


def batches_of(request: EmbeddingsRequest, size: int) -> list[list[str]]:
    """The texts, as many at once as a request takes."""
    given: Any = request.input
    texts = [given] if isinstance(given, str) else given
    return [texts[at : at + size] for at in range(0, len(texts), size)]


def task_of(body: Json) -> str | None:
    """What the vectors are for, taken from a request's other fields."""
    given = next((value for name in _TASKS if (value := body.pop(name, None)) is not None), None)
    return _OF_OTHERS.get(given, given) if isinstance(given, str) else given


def unknown_in(body: Json) -> Json:
    """The fields that nobody knows, which are sent on."""
    return {name: value for name, value in body.items() if name not in _OURS}


def reply_of(request: EmbeddingsRequest, vectors: Sequence[Any], counts: Sequence[int | None]) -> Reply:
    """OpenAI's form. vectors: one for each text. counts: tokens of each answer of Google's; None where it says none.
    Raises what happens with vectors that are none.
    """
    if request.dimensions is not None:
        vectors = [_of_length_one(vector) for vector in vectors]
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    known = [count for count in counts if count is not None]
    usage = {"usage": {"prompt_tokens": sum(known), "total_tokens": sum(known)}} if len(known) == len(counts) else {}
    return Reply.of({"object": "list", "model": request.model, "data": data, **usage})


def _of_length_one(vector: list[float]) -> list[float]:
    """Shortened vectors come as they were cut; OpenAI's have the length 1.
    https://ai.google.dev/gemini-api/docs/embeddings#quality-for-smaller-dimensions
    """
    length = math.sqrt(math.fsum(number * number for number in vector))
    return [number / length for number in vector] if length else vector
