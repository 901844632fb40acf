"""The shields that a request and its answer go through: fields of ours, which no vendor sees. And what they find."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, ConfigDict, Field
from typing_extensions import TypedDict

from runtime.apis._names import ResourceId
from runtime.apis._request import Response
from runtime.sse import Json

MOST_SHIELDS = 8
_CLOSED = ConfigDict(extra="forbid")


class ShieldReference(TypedDict):
    """A shield, as llama-stack's responses name it too."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[Annotated[ResourceId, Field(description="The shield's id.")]]


def _id(given: Any) -> Any:
    return given["type"] if isinstance(given, dict) else given


Shields = Annotated[list[ResourceId], Field(max_length=MOST_SHIELDS, fail_fast=True)]
_Named = Annotated[
    list[Annotated[ResourceId | ShieldReference, AfterValidator(_id)]], Field(max_length=MOST_SHIELDS, fail_fast=True)
]


class ByWay(TypedDict, total=False):
    """Different shields for both ways."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    input: Annotated[Shields | None, Field(description="For what is asked. Default: none.")]
    output: Annotated[Shields | None, Field(description="For what is answered. Default: none.")]


Guardrails = Annotated[
    _Named | ByWay | bool | None,
    Field(
        default=None,
        description="The ids of shields that what is asked and what is answered go through; or `input` and `output`"
        " apart; or `true` for those of the run config, else its default shield, and `false` for none. What one finds"
        " is answered with a refusal. Default: those of the run config's `safety.guardrails`, usually none.",
    ),
]


class GuardrailViolation(Response):
    """What a shield has found, beside the refusal that is the answer."""

    shield_id: str = Field(description="The shield.")
    found_in: Literal["input", "output"] = Field(description="Whether in what was asked or in what was answered.")
    violation_level: Literal["error"] = Field(description="How bad it is; what is less would not be stopped.")
    user_message: str = Field(description="The refusal.")
    metadata: dict[str, Any] = Field(description="What it is, such as `categories` and `violation_type`.")


class Judged(dict[str, Any]):
    """A message that guardrails need not look at again: the model has answered it, and a summary is in the place of
    that. Only requests that are made in this process have such; what arrives are plain dicts.
    """


def violation_in(answer: Json) -> Json | None:
    """What a shield has found, as an answer or a chunk of one says it."""
    found = answer.get("violation")
    return found if isinstance(found, dict) and isinstance(found.get("user_message"), str) else None
