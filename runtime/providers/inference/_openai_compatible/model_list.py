"""Reads a vendor's list of models, in any of the shapes that vendors use.

OpenAI's `{"data": [...]}`, a bare array, `{"models": [...]}`, Databricks' `{"endpoints": [...]}`, and the one model
that Text Embeddings Inference describes at `/info`. Entries have an `id`, a `name`, a `model` or a `model_id`, and some
say what the model is for.
"""

from __future__ import annotations

import asyncio
from typing import Literal, NamedTuple

import msgspec

from runtime.http.transport import Exchange

_MAX_BYTES = 32 * 1024 * 1024
_MAX_ENTRIES = 20_000
_MAX_PARSED_IN_LOOP_BYTES = 256 * 1024
"""The largest list that is parsed in the event loop, in a millisecond or two; larger ones use a thread."""


Kind = Literal["llm", "embedding", "rerank"]
_LISTS = ("data", "models", "endpoints")
_NAMES = ("id", "name", "model", "model_id")
_KINDS: dict[Kind, tuple[str, ...]] = {
    "rerank": ("rerank", "reranker"),
    "embedding": ("embedding", "embed", "llm/v1/embeddings"),
    "llm": ("chat", "language", "generate", "llm/v1/chat", "llm/v1/completions"),
}
"""A kind of model, and the words for it in an entry of Cohere, Databricks, Text Embeddings Inference and Together."""


class ListEntry(NamedTuple):
    """A model in a list. name: empty for an entry without one. kind: None where the entry does not say it."""

    name: str
    kind: Kind | None


async def entries_in(exchange: Exchange) -> list[ListEntry] | str:
    """The entries of an answer. For an answer that is not a list, the end of an error message: `with no JSON`."""
    parts, size = [], 0
    async for part in exchange.chunks():
        parts.append(part)
        if (size := size + len(part)) > _MAX_BYTES:
            return f"with more than {_MAX_BYTES >> 20} MiB"
    body = b"".join(parts)
    return await asyncio.to_thread(_read, body) if size > _MAX_PARSED_IN_LOOP_BYTES else _read(body)


def _read(body: bytes) -> list[ListEntry] | str:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return "with no JSON"
    entries = _entries(answer)
    if entries is None:
        return "with no list of models"
    return [ListEntry(_name(entry), _kind(entry)) for entry in entries[:_MAX_ENTRIES]]


def _entries(answer: object) -> list[object] | None:
    """The entries; None if there is no list. Some vendors write `null` for an empty one."""
    if isinstance(answer, list):
        return answer
    if isinstance(answer, dict):
        for key in _LISTS:
            if isinstance(answer.get(key), list):
                return answer[key]  # type: ignore[no-any-return]  # checked above
        if any(key in answer and answer[key] is None for key in _LISTS):
            return []
        if "model_id" in answer:
            return [answer]
    return None


def _name(entry: object) -> str:
    if isinstance(entry, dict):
        for key in _NAMES:
            if isinstance(entry.get(key), str):
                return str(entry[key])
    return ""


def _kind(entry: object) -> Kind | None:
    words: set[object] = set()
    for key in ("model_type", "type", "task", "endpoints"):
        said = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(said, str):
            words.add(said)
        elif isinstance(said, list | dict):
            words.update(one for one in said if isinstance(one, str))
    for kind, known in _KINDS.items():
        if not words.isdisjoint(known):
            return kind
    return None
