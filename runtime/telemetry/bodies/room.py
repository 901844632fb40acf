"""The room that one attribute has: what is put there is masked first, and cut where there is no more room."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.redaction import redact, redact_text
from runtime.sse import encode

MOST_BYTES = 64 * 1024
_LOOKED_AT = 2 * MOST_BYTES
"""Of a text, in characters: cut only after it was masked, since half a secret is not known for one."""
_LONGEST_NAME = 200
"""In characters: ids and names are shorter."""
_FORM_BYTES = 120
"""What a message and a part of one take beside their texts and names."""
_any = msgspec.json.Decoder().decode


class Room:
    """left: how many bytes more of JSON there may be. is_cut: whether something was left out."""

    def __init__(self) -> None:
        self.left = MOST_BYTES
        self.is_cut = False

    def begin(self) -> bool:
        """Take the room for one more message, or part of one. Returns whether there is any; else it is left out."""
        if self.left <= 0:
            self.is_cut = True
            return False
        self.left -= _FORM_BYTES
        return True

    def name(self, name: object) -> str | None:
        """An id, or a name; None for none."""
        if name is None:
            return None
        text = str(name)
        masked = redact_text(text[: 10 * _LONGEST_NAME])[:_LONGEST_NAME]
        self.is_cut |= len(text) > _LONGEST_NAME
        self.left -= _size(masked)
        return masked

    def text(self, text: object) -> str:
        """As much of a text as there is room for, which says how much is missing."""
        whole, left = str(text), max(self.left, 0)
        masked = redact_text(whole[:_LOOKED_AT]).encode(errors="replace").decode()
        size = _size(masked)
        if size <= left and len(whole) <= _LOOKED_AT:
            self.left -= size
            return masked
        kept = masked
        while size > left:  # at most a few times: most characters are as long as the others
            kept = kept[: len(kept) * left // size]
            size = _size(kept)
        self.left = 0
        self.is_cut = True
        return f"{kept}… [{max(1, len(whole) - len(kept))} more characters]"

    def value(self, value: Any) -> Any:
        """JSON, or a text of it, with its secrets masked by their names; of what is too long, its beginning as text."""
        if isinstance(value, str):
            if value[:1] not in ("{", "[") or len(value) > _LOOKED_AT:
                return self.text(value)
            try:
                value = _any(value)
            except (msgspec.DecodeError, RecursionError):
                return self.text(value)
        try:
            masked = redact(value)
            data = encode(masked)
        except (TypeError, ValueError, RecursionError):
            self.is_cut = True
            return None
        if len(data) > self.left:
            return self.text(data.decode())
        self.left -= len(data)
        return masked


def _size(text: str) -> int:
    """In bytes of JSON, without the quotes."""
    return len(encode(text)) - 2
