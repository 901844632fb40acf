"""Finds the texts in an answer, wherever a vendor puts them. A member that is not known here counts as text."""

from __future__ import annotations

from typing import Any

Texts = dict[str, str]
"""Each text by its place in the answer: the pieces of one place belong together, in a stream too."""

_NO_TEXT = frozenset(
    {
        "b64_json", "bytes", "data", "encrypted_content", "format", "id", "name", "role", "signature",
        "thought_signature", "top_logprobs", "type", "url",
    }
)  # fmt: skip
"""Members that say nothing to a reader: names, kinds, and what is encoded."""


def texts_in(value: Any) -> Texts:
    """The texts of a message, or of a part of one. Parts of one list with an `index` are places of their own."""
    found: Texts = {}
    left = [("", value)]
    while left:
        place, one = left.pop()
        if isinstance(one, str):
            if one:
                found[place] = found.get(place, "") + one
        elif isinstance(one, dict):
            if (index := one.get("index")) is not None:
                place = f"{place}[{index}]"
            left += [(f"{place}.{name}", member) for name, member in reversed(one.items()) if name not in _NO_TEXT]
        elif isinstance(one, list):
            left += [(place, item) for item in reversed(one)]
    return found


def joined(texts: Texts) -> str:
    """All of them in one text. One that another has in it is left out: some vendors send their thoughts twice."""
    several = sorted({*texts.values()}, key=len, reverse=True)
    kept = {text for place, text in enumerate(several) if not any(text in longer for longer in several[:place])}
    return "\n".join(dict.fromkeys(text for text in texts.values() if text in kept))
