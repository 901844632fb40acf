"""Reads a vendor's list of models, in any of the shapes that vendors use: OpenAI's `{"data": [...]}`, a bare array, and
`{"models": [...]}`, whose entries have an `id`, a `name` or a `model`.
"""

from __future__ import annotations

import asyncio

import msgspec

from runtime.http.transport import Exchange

_MAX_BYTES = 32 * 1024 * 1024
_MAX_ENTRIES = 20_000
_MAX_PARSED_IN_LOOP_BYTES = 256 * 1024
"""The largest list that is parsed in the event loop, in a millisecond or two; larger ones use a thread."""


async def names_in(exchange: Exchange) -> list[str] | str:
    """The names of an answer's entries, empty for an entry without one. For an answer that is not a list, the end of an
    error message instead: `with no JSON`.
    """
    parts, size = [], 0
    async for part in exchange.chunks():
        parts.append(part)
        if (size := size + len(part)) > _MAX_BYTES:
            return f"with more than {_MAX_BYTES >> 20} MiB"
    body = b"".join(parts)
    return await asyncio.to_thread(_names, body) if size > _MAX_PARSED_IN_LOOP_BYTES else _names(body)


def _names(body: bytes) -> list[str] | str:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return "with no JSON"
    entries = _entries(answer)
    if entries is None:
        return "with no list of models"
    return [_name(entry) for entry in entries[:_MAX_ENTRIES]]


def _entries(answer: object) -> list[object] | None:
    """The entries; None if there is no list. Some vendors write `null` for an empty one."""
    if isinstance(answer, list):
        return answer
    if isinstance(answer, dict):
        for key in ("data", "models"):
            if isinstance(answer.get(key), list):
                return answer[key]  # type: ignore[no-any-return]  # checked above
        if any(key in answer and answer[key] is None for key in ("data", "models")):
            return []
    return None


def _name(entry: object) -> str:
    if isinstance(entry, dict):
        for key in ("id", "name", "model"):
            if isinstance(entry.get(key), str):
                return str(entry[key])
    return ""
