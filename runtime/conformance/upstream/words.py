"""The text of an answer, made from the request alone, and what it costs."""

from __future__ import annotations

import hashlib
import random
import re
from typing import Any

_WORDS = (
    "red",
    "green",
    "blue",
    "one",
    "two",
    "three",
    "north",
    "south",
    "east",
    "west",
    "rain",
    "sun",
    "hill",
    "lake",
)
NATURAL_LENGTH = 12
"""Words of a text, unless a limit or a stop string comes first."""


def randomness(body: dict[str, Any], prompt: str) -> random.Random:
    """What an answer is drawn from. Temperature 0 looks at the prompt alone; else the seed counts too."""
    seed = prompt if body.get("temperature") == 0 else f"{prompt}{body.get('seed')}"
    return random.Random(hashlib.sha256(seed.encode()).digest())


def some_words(chosen: random.Random, count: int = NATURAL_LENGTH) -> list[str]:
    return [f"{chosen.choice(_WORDS)} " for _ in range(count)]


def pieces(text: str) -> list[str]:
    """The text as a model would write it: word by word, the space after each."""
    return re.findall(r"\S+\s*|\s+", text)


def cut(words: list[str], stop: str | list[str] | None, limit: int | None) -> tuple[list[str], str]:
    """The words up to the limit and before the first stop string, and why they end there."""
    finish = "stop"
    if limit is not None and limit < len(words):
        words, finish = words[:limit], "length"
    for each in [stop] if isinstance(stop, str) else stop or []:
        text = "".join(words)
        if each in text:
            words, finish = pieces(text[: text.index(each)]), "stop"
    return words, finish


def usage(prompt: str, written: int) -> dict[str, Any]:
    """Counts of words. written: in all choices together."""
    read = len(prompt.split())
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
