"""Objects that their `type` tells apart, and unions whose members are found in a folder.

No source can write such a union down. To a type checker it is what stands beside it: `Annotated[Json, one_of(...)]`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, Discriminator, GetPydanticSchema
from pydantic_core import PydanticCustomError


def told_by_type(*models: type[BaseModel]) -> BeforeValidator:
    """For a union of models with `Field(discriminator="type")`: refuses what is no object or has no `type`, and says
    which types there are, as pydantic itself does only for a wrong one. models: each with `type: Literal[...]`.
    """

    def types() -> Iterator[str]:
        for model in models:
            yield from map(repr, get_args(model.model_fields["type"].annotation))

    def check(given: Any) -> Any:
        if isinstance(given, BaseModel) or (isinstance(given, dict) and "type" in given):
            return given
        if isinstance(given, dict):
            facts = {"types": ", ".join(types()), "inside": "type"}
            raise PydanticCustomError("no_type", "Input should be one of {types}", facts)
        message = "Input should be an object whose `type` is one of {types}"
        raise PydanticCustomError("no_object", message, {"types": ", ".join(types())})

    return BeforeValidator(check)


def one_of(shapes: Iterable[Any], by: Discriminator | None = None) -> GetPydanticSchema:
    """What is one of these shapes. by: what tells them apart, their `type` by default."""
    union = reduce(operator.or_, shapes)
    return GetPydanticSchema(lambda _, handler: handler(Annotated[union, by or Discriminator("type")]))


def one_word_of(words: Iterable[str]) -> GetPydanticSchema:
    """What is one of these texts."""
    literal = Literal[tuple(words)]  # type: ignore[valid-type]
    return GetPydanticSchema(lambda _, handler: handler(literal))
