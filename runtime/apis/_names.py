"""Names that requests ask by: of models, providers and whatever else is registered. Bounded at the door, so that
nothing behind it searches for megabytes.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from runtime.errors import LONGEST_NAME

_SHOWN = 64


def _bounded(value: Any) -> Any:
    """With the beginning of a name that is too long, by which its sender knows which one it is."""
    if isinstance(value, str) and len(value) > LONGEST_NAME:
        raise PydanticCustomError(
            "name_too_long",
            "has {length} characters, more than the {limit} of a name; it begins with {beginning}",
            {"length": len(value), "limit": LONGEST_NAME, "beginning": repr(value[:_SHOWN])},
        )
    return value


ResourceId = Annotated[str, BeforeValidator(_bounded), Field(max_length=LONGEST_NAME)]
"""A name in a request. A longer one is a 400 that shows how it begins."""
