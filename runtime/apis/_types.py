"""Objects that their `type` tells apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator
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
