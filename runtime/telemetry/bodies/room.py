"""The room that one attribute has: what is put there is masked first, and cut where there is no more room."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.redaction import redact, redact_text
from runtime.sse import encode

MOST_BYTES = 64 * 1024
_LOOKED_AT = 2 * MOST_BYTES
"""Of a text, in characters: cut only after it was masked, since half a secret is not known for one."""
_any = msgspec.json.Decoder().decode


class Room:
    """left: how many bytes more of text there may be. is_cut: whether something was left out."""

    def __init__(self) -> None:
        self.left = MOST_BYTES
        self.is_cut = False

    def text(self, text: object) -> str:
        """As much of a text as there is room for, which says how much is missing."""
        whole = str(text)
        masked = redact_text(whole[:_LOOKED_AT])
        data = masked.encode(errors="replace")
        if len(data) <= self.left and len(whole) <= _LOOKED_AT:
            self.left -= len(data)
            return data.decode()
        kept = data[: self.left].decode(errors="ignore")
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
