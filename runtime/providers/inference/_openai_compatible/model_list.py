"""Reads a vendor's list of models, in any of the shapes that vendors use.

OpenAI's `{"data": [...]}`, a bare array, `{"models": [...]}`, Databricks' `{"endpoints": [...]}`, and the one model
that Text Embeddings Inference describes at `/info`. Entries have an `id`, a `name`, a `model` or a `model_id`, and some
say what the model is for and what it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from runtime.http.transport import Exchange

_MAX_BYTES = 32 * 1024 * 1024
MAX_ENTRIES = 20_000
_MAX_PARSED_IN_LOOP_BYTES = 256 * 1024
"""The largest list that is parsed in the event loop, in a millisecond or two; larger ones use a thread."""


Kind = Literal["llm", "embedding", "rerank"]
_LISTS = ("data", "models", "endpoints")
_NAMES = ("id", "name", "model", "model_id")
_KINDS: dict[Kind, tuple[str, ...]] = {
    "rerank": ("rerank", "reranker"),
    "embedding": ("embedding", "embed", "llm/v1/embeddings", "embedContent"),
    "llm": ("chat", "language", "generate", "llm/v1/chat", "llm/v1/completions", "generateContent"),
}
"""A kind of model, and the words for it in an entry of Cohere, Databricks, Google, Text Embeddings Inference and
Together.
"""


_NUMBERS: dict[str, tuple[str, ...]] = {
    "context_length": (
        *("context_length", "context_window", "max_context_length", "max_model_len", "context_size"),
        *("max_input_tokens", "max_input_length", "n_ctx", "n_ctx_train", "inputTokenLimit"),
    ),
    "max_output_tokens": ("max_completion_tokens", "max_output_tokens", "outputTokenLimit"),
    "embedding_dimension": ("embedding_dimension", "output_vector_size"),
}
"""A fact, and the names it has in entries of Anthropic, Cohere, Fireworks, Google, Groq, Hugging Face, llama.cpp,
Mistral, Nebius, Novita, OpenRouter, SambaNova, Text Embeddings Inference, Together and vLLM."""
_INSIDE = ("metadata", "meta", "architecture", "top_provider", "capabilities")
"""Members of an entry that have such facts in them: DeepInfra's, llama.cpp's, OpenRouter's (two) and Mistral's."""
_TAKES_IMAGES = ("supports_image_input", "supports_vision", "vision")
"""Of Fireworks, Baseten and Mistral."""


class ListEntry(NamedTuple):
    """A model in a list. name: empty for an entry without one. kind: None where the entry does not say it. facts: what
    it can, under the names that all vendors have here.
    """

    name: str
    kind: Kind | None
    facts: dict[str, Any]


class Page(NamedTuple):
    """A list, or a part of it. more: what its address has behind it for the next part; empty for the last."""

    entries: list[ListEntry]
    more: str = ""


Reader = Callable[[Any], list[ListEntry] | None]
"""The entries of an answer's JSON; None where it has no list."""
More = Callable[[Any], str]
"""Of an answer's JSON that has a list, `Page.more`."""


def no_more(answer: Any) -> str:
    """The `More` of a list that comes whole."""
    return ""


async def page_in(exchange: Exchange, read: Reader, more: More) -> Page | str:
    """The entries of an answer. For an answer that is not a list, the end of an error message: `with no JSON`."""
    parts, size = [], 0
    async for part in exchange.chunks():
        parts.append(part)
        if (size := size + len(part)) > _MAX_BYTES:
            return f"with more than {_MAX_BYTES >> 20} MiB"
    body = b"".join(parts)
    if size > _MAX_PARSED_IN_LOOP_BYTES:
        return await asyncio.to_thread(_read, body, read, more)
    return _read(body, read, more)


def entries_of(answer: Any) -> list[ListEntry] | None:
    """The `Reader` of the shapes that are known here."""
    if (entries := _entries(answer)) is None:
        return None
    return [ListEntry(_name(entry), _kind(entry), _facts(entry)) for entry in entries[:MAX_ENTRIES]]


def _read(body: bytes, read: Reader, more: More) -> Page | str:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return "with no JSON"
    entries = read(answer)
    return "with no list of models" if entries is None else Page(entries[:MAX_ENTRIES], more(answer))


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
    for key in ("model_type", "type", "task", "endpoints", "supportedGenerationMethods"):
        said = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(said, str):
            words.add(said)
        elif isinstance(said, list | dict):
            words.update(one for one in said if isinstance(one, str))
    for kind, known in _KINDS.items():
        if not words.isdisjoint(known):
            return kind
    return None


def _facts(entry: object) -> dict[str, Any]:
    """context_length and max_output_tokens in tokens, embedding_dimension, input_modalities; what is said of them."""
    facts: dict[str, Any] = {}
    for members in _members(entry):
        for fact, names in _NUMBERS.items():
            said = next((members[name] for name in names if _is_count(members.get(name))), None)
            if said is not None:
                facts.setdefault(fact, said)
        takes = members.get("input_modalities")
        if isinstance(takes, list) and takes and all(isinstance(one, str) for one in takes):
            facts.setdefault("input_modalities", takes)
        if any(members.get(name) is True for name in _TAKES_IMAGES):
            facts.setdefault("input_modalities", ["text", "image"])
    return facts


def _members(entry: object) -> Iterator[Mapping[str, Any]]:
    """An entry's members, and those of each member that has facts in it."""
    if isinstance(entry, dict):
        yield entry
        for name in _INSIDE:
            if isinstance(inner := entry.get(name), dict):
                yield inner


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40
