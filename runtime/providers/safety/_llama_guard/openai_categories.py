"""The categories of OpenAI's moderation object, and the types of input that its schema lets each apply to.

https://platform.openai.com/docs/api-reference/moderations/object
"""

from __future__ import annotations

from typing import Literal

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
