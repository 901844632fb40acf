"""What a model thought in its provider's own form, which OpenRouter wants back with the calls that follow: signed or
encrypted thoughts, of which the text alone does not do. https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
"""

from __future__ import annotations

from typing import Any

from runtime.sse import Json

DETAILS = "reasoning_details"
"""The member of an assistant's message."""
_GROWS = ("text", "summary", "data")


class Details:
    """In the order in which they came; a streamed one comes in pieces."""

    def __init__(self) -> None:
        self._all: list[Json] = []

    def add(self, pieces: Any) -> None:
        """pieces: of a chunk, or the whole ones of a whole answer."""
        for piece in pieces if isinstance(pieces, list) else ():
            if not isinstance(piece, dict):
                continue
            last = self._all[-1] if self._all else {}
            is_next = (piece.get("type"), piece.get("index")) != (last.get("type"), last.get("index"))
            if is_next or piece.get("index") is None:
                self._all.append({**piece})
                continue
            for name, value in piece.items():
                grows = name in _GROWS and isinstance(value, str) and isinstance(last.get(name), str)
                if grows or value is not None:
                    last[name] = last[name] + value if grows else value

    def as_members(self) -> Json:
        """As members of the message; none where there are no details."""
        return {DETAILS: self._all} if self._all else {}
