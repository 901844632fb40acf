"""No list of a request collects an error for each of its items: one small body would fill the memory with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from runtime import discovery
from runtime.apis._api import Operation

OPERATIONS = [
    operation
    for api in discovery.built_in().load_apis().values()
    for operation in api.operations()
    if [*operation.route.mounts()] and issubclass(operation.request, BaseModel)
]


def unbounded(schema: Any, path: str) -> Iterator[str]:
    """The fields below a core schema that hold lists without an end: with neither `max_length` nor `fail_fast`."""
    if isinstance(schema, list | tuple):
        for one in schema:
            yield from unbounded(one, path)
    if not isinstance(schema, dict):
        return
    is_bounded = "max_length" in schema or schema.get("fail_fast")
    if schema.get("type") == "list" and not is_bounded and schema.get("items_schema", {}).get("type", "any") != "any":
        yield path
    for name, inner in schema.items():
        if name == "fields" and isinstance(inner, dict):
            for field, one in inner.items():
                yield from unbounded(one, f"{path}.{field}")
        elif name not in ("serialization", "metadata"):
            yield from unbounded(inner, path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.request.__name__}-{one.name}")
def test_every_list_of_a_request_ends_at_a_bound_or_at_its_first_mistake(operation: Operation) -> None:
    operation.request.model_rebuild()
    assert [*unbounded(operation.request.__pydantic_core_schema__, operation.request.__name__)] == []


def test_a_list_without_an_end_is_seen() -> None:
    class Inner(BaseModel):
        many: list[int]

    class Outer(BaseModel):
        inner: list[Inner]

    assert {*unbounded(Outer.__pydantic_core_schema__, "Outer")} == {"Outer.inner", "Outer.inner.many"}
