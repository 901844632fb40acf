"""Finds the texts in an answer, wherever a vendor puts them. A member that is not known here counts as text."""

from __future__ import annotations

from typing import Any

from runtime.sse import Json

Texts = dict[str, str]
"""Each text by its place in the answer: the pieces of one place belong together, in a stream too."""

_NO_TEXT = frozenset(
    {
        "b64_json", "bytes", "data", "encrypted_content", "format", "id", "name", "role", "signature",
        "thought_signature", "top_logprobs", "type", "url",
    }
)  # fmt: skip
"""Members that say nothing to a reader: names, kinds, and what is encoded."""


def choices_of(answer: Any) -> list[Json]:
    """Those of an answer, or of a chunk of one. What a vendor has in place of one counts as what it says."""
    found = answer.get("choices") if isinstance(answer, dict) else [answer]
    several = found if isinstance(found, list) else [found] if found else []
    return [one if isinstance(one, dict) else {"message": one} for one in several]


def texts_of(choice: Json) -> Texts:
    """The texts of an answer, or of a chunk's part of it: what is thought, what is said, what tools are told."""
    said = choice.get("delta")
    if (message := choice.get("message")) or choice.get("text"):
        said = [said, message, {"text": choice.get("text")}]
    return texts_in(said) or (texts_in({"logprobs": probable}) if (probable := choice.get("logprobs")) else {})


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
            left += [(f"{place}.{name}", said) for name, said in reversed(one.items()) if said and name not in _NO_TEXT]
        elif isinstance(one, list):
            left += [(place, item) for item in reversed(one)]
    return found


def joined(texts: Texts) -> str:
    """All of them in one text. One that another has in it is left out: some vendors send their thoughts twice."""
    several = sorted({*texts.values()}, key=len, reverse=True)
    kept = {text for place, text in enumerate(several) if not any(text in longer for longer in several[:place])}
    return "\n".join(dict.fromkeys(text for text in texts.values() if text in kept))
