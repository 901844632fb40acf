"""The pages that an answer was drawn from, as OpenAI's annotations of its text.

https://ai.google.dev/gemini-api/docs/google-search (read November 2026)
"""

from __future__ import annotations

from runtime.sse import Json


def annotations_in(candidate: Json, text: str) -> list[Json]:
    """text: the whole answer. Google counts its bytes, OpenAI its characters."""
    given = candidate.get("groundingMetadata") or {}
    pages = [chunk.get("web") or {} for chunk in given.get("groundingChunks") or ()]
    data = text.encode()
    found = []
    for support in given.get("groundingSupports") or ():
        segment = support.get("segment") or {}
        start, end = (_characters(data, segment.get(name)) for name in ("startIndex", "endIndex"))
        for place in support.get("groundingChunkIndices") or ():
            if place < len(pages) and pages[place].get("uri"):
                page = pages[place]
                cited = {"start_index": start, "end_index": end, "url": page["uri"], "title": page.get("title") or ""}
                found.append({"type": "url_citation", "url_citation": cited})
    return found


def _characters(data: bytes, end: int | None) -> int:
    return len(data[: end or 0].decode("utf-8", "ignore"))
