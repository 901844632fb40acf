"""Vectors of Google's models, and OpenAI's form of them.

https://ai.google.dev/api/embeddings, https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
(read November 2026)
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from runtime.apis.inference.protocol import EmbeddingsRequest
from runtime.context import warn
from runtime.errors import UpstreamError
from runtime.providers.inference._openai_compatible import embeddings
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json, Reply

_OURS = ("model", "input", "encoding_format", "dimensions")
_TASKS = ("task_type", "taskType", "input_type")
"""Names of what the vectors are for: Google's own, and that of other vendors."""
_OF_OTHERS = {
    **dict.fromkeys(("query", "search_query"), "RETRIEVAL_QUERY"),
    **dict.fromkeys(("passage", "document", "search_document"), "RETRIEVAL_DOCUMENT"),
}
"""Other vendors' words for a task, and Google's."""


def texts_of(request: EmbeddingsRequest, provider_id: str) -> list[str]:
    """Raises RequestError for token ids."""
    if embeddings.has_ids(request.input):
        raise refusal("input", provider_id, "takes texts, not token ids")
    return [request.input] if isinstance(request.input, str) else list(request.input)  # type: ignore[arg-type]


def unknown_in(body: Json) -> Json:
    """The fields that nobody knows, which are sent on."""
    return {name: value for name, value in body.items() if name not in _OURS}


def task_of(body: Json) -> str | None:
    """What the vectors are for, taken from a request's other fields."""
    given = next((value for name in _TASKS if (value := body.pop(name, None)) is not None), None)
    return _OF_OTHERS.get(given, given) if isinstance(given, str) else given


async def reply_of(
    request: EmbeddingsRequest, vectors: Sequence[Any], *, counts: Sequence[int | None], provider_id: str
) -> Reply:
    """vectors: one for each text, as Google has them. counts: of tokens, of each answer; None where it has none. Raises
    UpstreamError for what is no vector.
    """
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        warn(f"`usage` is 0: `{provider_id}` did not count the tokens")
    read = sum(known) if len(known) == len(counts) else 0
    return await asyncio.to_thread(_reply, request, vectors, read, provider_id)


def _reply(request: EmbeddingsRequest, vectors: Sequence[Any], read: int, provider_id: str) -> Reply:
    try:
        if request.dimensions is not None:
            vectors = [_of_length_one(vector) for vector in vectors]
        data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
        usage = {"prompt_tokens": read, "total_tokens": read}
        reply = Reply.of({"object": "list", "model": request.model, "data": data, "usage": usage})
        as_base64 = request.encoding_format == "base64"
        return embeddings.encoded(reply, count=embeddings.asked_for(request.input), as_base64=as_base64)
    except embeddings.NotNumbers as error:
        raise UpstreamError(f"`{provider_id}` answered {error}", provider_id=provider_id) from error


def _of_length_one(vector: Any) -> Any:
    """Shortened vectors come as they were cut; OpenAI's have the length 1.
    https://ai.google.dev/gemini-api/docs/embeddings#quality-for-smaller-dimensions
    """
    if not isinstance(vector, list) or not all(isinstance(number, int | float) for number in vector):
        raise embeddings.NotNumbers("a vector that contains something else than numbers")
    length = math.sqrt(math.fsum(number * number for number in vector))
    return [number / length for number in vector] if length else vector
