"""What callers say about what they make, in words of their own: of resources any JSON, of what OpenAI's clients make
what OpenAI takes.

The first is shown to everybody and checked to be JSON, since a value that JSON does not have would spoil the list of
all resources for every client; of a resource it is bounded too, since every list has it. The second is kept with every
object, so that it is bounded.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError


def _size_of(given: dict[str, Any]) -> int:
    """How many characters it has as JSON."""
    try:
        return len(json.dumps(given, allow_nan=False))
    except (ValueError, TypeError, RecursionError) as error:
        raise PydanticCustomError("no_json", "holds what JSON does not have: {why}", {"why": str(error)}) from None


def _plain_json(given: dict[str, Any]) -> dict[str, Any]:
    _size_of(given)
    return given


Metadata = Annotated[dict[str, Any], AfterValidator(_plain_json)]
"""Any JSON object. NaN, infinity and numbers of thousands of digits are a 400."""

MOST_OF_A_RESOURCE = 64 * 1024
"""Characters of JSON."""


def _bounded_json(given: dict[str, Any]) -> dict[str, Any]:
    size = _size_of(given)
    if size > MOST_OF_A_RESOURCE:
        raise PydanticCustomError(
            "too_much_json",
            "has {count} characters as JSON, {limit} are allowed",
            {"count": size, "limit": MOST_OF_A_RESOURCE},
        )
    return given


ResourceMetadata = Annotated[dict[str, Any], AfterValidator(_bounded_json)]
"""As `Metadata`, and at most 65,536 characters of JSON."""

_MOST_ENTRIES, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512


def _few_short_keys(given: Any) -> Any:
    """Before the values are looked at, so that a million of them cost nothing."""
    if isinstance(given, dict):
        if len(given) > _MOST_ENTRIES:
            raise PydanticCustomError(
                "too_many_entries",
                "has {count} entries, {limit} are allowed",
                {"count": len(given), "limit": _MOST_ENTRIES},
            )
        for key in given:
            if isinstance(key, str) and len(key) > _LONGEST_KEY:
                raise PydanticCustomError(
                    "long_key", "its key has more than {limit} characters", {"limit": _LONGEST_KEY, "inside": key}
                )
    return given


OpenAIMetadata = Annotated[
    dict[Annotated[str, Field(max_length=_LONGEST_KEY)], Annotated[str, Field(max_length=_LONGEST_VALUE)]],
    Field(max_length=_MOST_ENTRIES),
    BeforeValidator(_few_short_keys),
]
"""OpenAI's `Metadata`: at most 16 entries, keys of at most 64 characters, values texts of at most 512; else a 400 that
names the entry. https://platform.openai.com/docs/api-reference/chat/object#chat/object-metadata
"""


def _one_value(given: Any) -> Any:
    """One error for a wrong value, not one for each type that it is not."""
    if not isinstance(given, str | int | float):
        raise PydanticCustomError("no_attribute", "must be a text, a number or a boolean")
    if isinstance(given, str) and len(given) > _LONGEST_VALUE:
        raise PydanticCustomError(
            "long_value",
            "has more than {limit} characters; it begins with `{start}`",
            {"limit": _LONGEST_VALUE, "start": given[:60]},
        )
    if isinstance(given, float) and not math.isfinite(given):
        raise PydanticCustomError("no_number", "must be a finite number")
    if isinstance(given, int) and not -(2**63) <= given < 2**63:
        raise PydanticCustomError("large_number", "must be a whole number of 64 bits, or one with a fraction")
    return given


AttributeValue = Annotated[
    Annotated[str, Field(max_length=_LONGEST_VALUE)] | int | float | bool, BeforeValidator(_one_value)
]
"""A text of at most 512 characters, a number, or a boolean."""

Attributes = Annotated[
    dict[Annotated[str, Field(max_length=_LONGEST_KEY)], AttributeValue],
    Field(max_length=_MOST_ENTRIES),
    BeforeValidator(_few_short_keys),
]
"""OpenAI's `VectorStoreFileAttributes`: as `OpenAIMetadata`, and values may be numbers and booleans too.
https://platform.openai.com/docs/api-reference/vector-stores-files/file-object
"""
