"""Objects that their `type` tells apart, and unions whose members are found in a folder.

No source can write such a union down. To a type checker it is what stands beside it: `Annotated[Json, one_of(...)]`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Annotated, Any, Literal

from pydantic import Discriminator, GetPydanticSchema


def one_of(shapes: Iterable[Any], by: Discriminator | None = None) -> GetPydanticSchema:
    """What is one of these shapes. by: what tells them apart, their `type` by default."""
    union = reduce(operator.or_, shapes)
    return GetPydanticSchema(lambda _, handler: handler(Annotated[union, by or Discriminator("type")]))


def one_word_of(words: Iterable[str]) -> GetPydanticSchema:
    """What is one of these texts."""
    literal = Literal[tuple(words)]  # type: ignore[valid-type]
    return GetPydanticSchema(lambda _, handler: handler(literal))
