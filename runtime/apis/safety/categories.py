"""The categories of OpenAI's moderation object: what each means, and the types of input that it can apply to.

https://platform.openai.com/docs/api-reference/moderations/object
"""

from __future__ import annotations

from typing import Any, Literal

InputType = Literal["text", "image"]

_TEXT: tuple[InputType, ...] = ("text",)
_BOTH: tuple[InputType, ...] = ("text", "image")

OPENAI_CATEGORIES: dict[str, tuple[InputType, ...]] = {
    "hate": _TEXT,
    "hate/threatening": _TEXT,
    "harassment": _TEXT,
    "harassment/threatening": _TEXT,
    "illicit": _TEXT,
    "illicit/violent": _TEXT,
    "self-harm": _BOTH,
    "self-harm/intent": _BOTH,
    "self-harm/instructions": _BOTH,
    "sexual": _BOTH,
    "sexual/minors": _TEXT,
    "violence": _BOTH,
    "violence/graphic": _BOTH,
}

_MEANINGS = {
    "hate": "Hatred of people for what they are, such as their origin, belief or sex.",
    "hate/threatening": "Such hatred, with violence or serious harm.",
    "harassment": "Words that harass somebody, or ask others to.",
    "harassment/threatening": "Such words, with violence or serious harm.",
    "illicit": "Advice or instructions for what is against the law.",
    "illicit/violent": "Such advice with violence, or to get a weapon.",
    "self-harm": "Praise, encouragement or pictures of harming oneself.",
    "self-harm/intent": "Somebody says that they harm themselves, or mean to.",
    "self-harm/instructions": "Instructions or advice for harming oneself.",
    "sexual": "What is meant to arouse, or advertises sexual services.",
    "sexual/minors": "Sexual content with somebody under 18.",
    "violence": "Death, violence or injury.",
    "violence/graphic": "Death, violence or injury in detail.",
}


def by_category(of_one: dict[str, Any], what: str) -> dict[str, Any]:
    """What the JSON schema of an object says that has a value for each category. of_one: the schema of a value. what:
    the value, before the category's meaning.
    """
    described = {name: {**of_one, "description": f"{what} {meaning}"} for name, meaning in _MEANINGS.items()}
    return {"properties": described, "required": list(described)}
