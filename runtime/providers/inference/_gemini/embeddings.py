"""Vectors of Google's models, and OpenAI's form of them.

https://ai.google.dev/api/embeddings and
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api (read November 2026)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from runtime.apis.inference.protocol import EmbeddingsRequest
from runtime.providers.inference._vectors import listed
from runtime.sse import Json, Reply

_OURS = ("model", "input", "encoding_format", "dimensions")
_TASKS = ("task_type", "taskType", "input_type")
"""Names of what the vectors are for: Google's own, and that of other vendors."""
_OF_OTHERS = {
    **dict.fromkeys(("query", "search_query"), "RETRIEVAL_QUERY"),
    **dict.fromkeys(("passage", "document", "search_document"), "RETRIEVAL_DOCUMENT"),
}
"""Other vendors' words for a task, and Google's."""


def task_of(body: Json) -> str | None:
    """What the vectors are for, taken from a request's other fields."""
    given = next((value for name in _TASKS if (value := body.pop(name, None)) is not None), None)
    return _OF_OTHERS.get(given, given) if isinstance(given, str) else given


def unknown_in(body: Json) -> Json:
    """The fields that nobody knows, which are sent on."""
    return {name: value for name, value in body.items() if name not in _OURS}


def reply_of(request: EmbeddingsRequest, vectors: Sequence[Any], counts: Sequence[int | None]) -> Reply:
    """As `listed`. Raises what happens with vectors that are none."""
    if request.dimensions is not None:
        vectors = [_of_length_one(vector) for vector in vectors]
    return listed(request.model, vectors, counts)


def _of_length_one(vector: list[float]) -> list[float]:
    """Shortened vectors come as they were cut; OpenAI's have the length 1.
    https://ai.google.dev/gemini-api/docs/embeddings#quality-for-smaller-dimensions
    """
    length = math.sqrt(math.fsum(number * number for number in vector))
    return [number / length for number in vector] if length else vector
