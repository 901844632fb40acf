"""The shields that a request and its answer go through: a field of ours, which no vendor sees."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from runtime.apis._names import ResourceId

MOST_SHIELDS = 8
Shields = Annotated[list[ResourceId], Field(max_length=MOST_SHIELDS, fail_fast=True)]


class ByWay(TypedDict, total=False):
    """Different shields for both ways."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # how pydantic configures a TypedDict
    input: Annotated[Shields | None, Field(description="For what is asked. Default: none.")]
    output: Annotated[Shields | None, Field(description="For what is answered. Default: none.")]


Guardrails = Annotated[
    Shields | ByWay | None,
    Field(
        default=None,
        description="The ids of shields that what is asked and what is answered go through; or `input` and `output`"
        " apart. What one finds is answered with a refusal. Default: those of the run config's `safety.guardrails`,"
        " usually none.",
    ),
]
