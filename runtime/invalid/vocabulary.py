"""What JSON and YAML call the same things, and how a message shows a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from runtime.redaction import redact_text
from runtime.stdio import one_line

_LONGEST_QUOTE = 60
_LONGEST_NAME = 100


def shortened(text: str, most: int = _LONGEST_QUOTE) -> str:
    """A value as messages quote it, with at most so many characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def quoted(text: str) -> str:
    """A caller's text for a message: on one line, and not too long."""
    return one_line(shortened(text, _LONGEST_NAME)) or '""'


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The words of a format. field: a name in an object. has_quotes: whether text always has quotes. quotes: whether a
    message shows what a text says.
    """

    field: str
    text: str
    object: str
    array: str
    null: str
    has_quotes: bool
    quotes: bool = True

    def shown(self, value: Any, *, has_type: bool = False) -> str:
        """A value for a message: its kind, or the value itself if it is short and safe to print, without secrets.
        has_type: text has the format's quotes, which tell `"5"` from `5`.
        """
        if value is None:
            return self.null
        if isinstance(value, Mapping):
            return self.object
        if isinstance(value, list | tuple | set | frozenset):
            return self.array
        if isinstance(value, str):
            if not self.quotes:
                return self.text
            text = one_line(shortened(redact_text(value)))
            return f'`"{text}"`' if not text or (has_type and self.has_quotes) else f"`{text}`"
        if isinstance(value, bool | int | float):
            return f"`{shortened(json.dumps(value))}`"
        return f"`{type(value).__name__}`"


JSON = Vocabulary(field="field", text="a string", object="an object", array="an array", null="null", has_quotes=True)
JSON_UNQUOTED = replace(JSON, quotes=False)
YAML = Vocabulary(field="key", text="text", object="a mapping", array="a list", null="nothing", has_quotes=False)
