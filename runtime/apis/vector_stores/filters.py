"""Filters of a search: comparisons of files' attributes, and `and` and `or` of such.

https://platform.openai.com/docs/api-reference/vector-stores/search
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._metadata import AttributeValue
from runtime.apis._request import Request

MAX_FILTER_DEPTH = 8
MAX_FILTERS = 200
MAX_FILTER_VALUES = 1000
"""Of all filters of a request together."""


class ComparisonFilter(Request):
    """Only files whose attribute compares so. A file without the attribute fits `ne` and `nin` alone. A text, a number
    and a boolean are never equal, and none is greater than another.
    """

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"] = Field(
        description="`eq`: equal; `ne`: not equal; `gt`, `gte`, `lt`, `lte`: greater, or less, or equal, of numbers or"
        " texts; `in`: one of several; `nin`: none of them."
    )
    key: str = Field(min_length=1, max_length=64, description="The attribute's name.")
    value: Annotated[
        Annotated[AttributeValue, Tag("one")]
        | Annotated[list[AttributeValue], Field(max_length=MAX_FILTER_VALUES), Tag("several")],
        Discriminator(lambda value: "several" if isinstance(value, list) else "one"),
    ] = Field(description="A text, a number or a boolean; for `in` and `nin` a list of such, at most 1000.")

    @model_validator(mode="after")
    def _value_fits_the_operator(self) -> ComparisonFilter:
        if (self.type in ("in", "nin")) != isinstance(self.value, list):
            wanted = "a list" if self.type in ("in", "nin") else "one value, not a list"
            facts = {"operator": self.type, "wanted": wanted, "inside": "value"}
            raise PydanticCustomError("filter_value", "`{operator}` compares with {wanted}", facts)
        if self.type in ("gt", "gte", "lt", "lte") and isinstance(self.value, bool):
            facts = {"operator": self.type, "inside": "value"}
            raise PydanticCustomError("filter_value", "`{operator}` compares numbers or texts, not booleans", facts)
        return self


class CompoundFilter(Request):
    """Several filters at once."""

    type: Literal["and", "or"] = Field(description="`and`: each of them holds; `or`: at least one does.")
    filters: list[Filter] = Field(min_length=1, max_length=MAX_FILTERS, description="The filters, also nested ones.")


Filter = Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")]


def _bounded(given: Filter) -> Filter:
    level: list[ComparisonFilter | CompoundFilter] = [given]
    depth = count = values = 0
    while level:
        depth, count = depth + 1, count + len(level)
        values += sum(
            len(one.value) for one in level if isinstance(one, ComparisonFilter) and isinstance(one.value, list)
        )
        if depth > MAX_FILTER_DEPTH:
            raise PydanticCustomError("deep_filter", f"filters may be nested {MAX_FILTER_DEPTH} deep at most")
        if count > MAX_FILTERS:
            raise PydanticCustomError("many_filters", f"at most {MAX_FILTERS} filters may be given")
        if values > MAX_FILTER_VALUES:
            raise PydanticCustomError("many_values", f"at most {MAX_FILTER_VALUES} values may be listed in all filters")
        level = [inner for one in level if isinstance(one, CompoundFilter) for inner in one.filters]
    return given


Filters = Annotated[Filter, AfterValidator(_bounded)]
"""A filter as a request has it: at most 8 deep, with at most 200 filters and 1000 listed values in it."""
