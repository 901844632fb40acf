"""Embeddings of Google's models at Vertex AI, which are asked for in three ways.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api (read November 2026)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.sse import Json


@dataclass(frozen=True, kw_only=True)
class Way:
    """method: of the model. texts: how many a request takes."""

    method: str
    texts: int


PREDICT = Way(method="predict", texts=250)
ONE_BY_ONE = Way(method="predict", texts=1)
EMBED_CONTENT = Way(method="embedContent", texts=1)


def way_of(model: str) -> Way:
    """`gemini-embedding-001` takes one text at a time; later ones have a method of their own."""
    if not model.startswith("gemini-embedding"):
        return PREDICT
    return ONE_BY_ONE if model == "gemini-embedding-001" else EMBED_CONTENT


def body_of(way: Way, texts: list[str], *, dimensions: int | None, task: str | None) -> Json:
    """A text that is too long is refused, as at OpenAI, and not cut."""
    size = {} if dimensions is None else {"outputDimensionality": dimensions}
    if way is EMBED_CONTENT:
        of_task = {} if task is None else {"taskType": task}
        settings = {"autoTruncate": False, **size, **of_task}
        return {"content": {"parts": [{"text": texts[0]}]}, "embedContentConfig": settings}
    tasks = {} if task is None else {"task_type": task}
    return {
        "instances": [{"content": text, **tasks} for text in texts],
        "parameters": {"autoTruncate": False, **size},
    }


def vectors_in(way: Way, answer: Json) -> tuple[list[Any], int | None]:
    """The vectors, and how many tokens were read; None where it does not say. Raises what happens with an answer of
    another form.
    """
    if way is EMBED_CONTENT:
        return [answer["embedding"]["values"]], (answer.get("usageMetadata") or {}).get("promptTokenCount")
    found = [prediction["embeddings"] for prediction in answer["predictions"]]
    counts = [(one.get("statistics") or {}).get("token_count") for one in found]
    known = [int(count) for count in counts if count is not None]
    return [one["values"] for one in found], sum(known) if len(known) == len(counts) else None
