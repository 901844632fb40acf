"""The operations of the API `scoring_functions`, and what they take and return."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import ConfigDict, Field

from runtime.apis._api import route
from runtime.apis._metadata import ResourceMetadata
from runtime.apis._names import ResourceId
from runtime.apis._request import Empty, Registered, Request, Response, example
from runtime.apis.scoring.params import ScoringParams


class ParamType(Request):
    """A type of values, as llama-stack names them."""

    model_config = ConfigDict(extra="allow")

    type: Literal[
        "string", "number", "boolean", "array", "object", "json", "union", "chat_completion_input", "completion_input",
        "agent_turn_input",
    ] = Field(description="Its name.")  # fmt: skip


class ScoringFunction(Response):
    """A function that says how good an answer is."""

    identifier: str = Field(description="Its id.")
    provider_id: str = Field(description="The provider of `scoring` that it belongs to.")
    provider_resource_id: str = Field(description="The provider's own name for it.")
    type: Literal["scoring_function"] = "scoring_function"
    description: str | None = Field(None, description="What it does.")
    metadata: dict[str, Any] = Field(
        description="Your own words about it, and `columns`: what it reads, as its provider says if it lists the"
        " function."
    )
    return_type: dict[str, Any] = Field(description="The type of its scores.")
    params: dict[str, Any] | None = Field(None, description="What it is told, where a request does not say.")


class ScoringFunctionList(Response):
    """The scoring functions that the caller may see."""

    data: list[ScoringFunction] = Field(description="Every function.")


class ScoringFunctionRequest(Request):
    """Which scoring function."""

    scoring_fn_id: ResourceId = Field(min_length=1, description="Its id.")


class RegisterScoringFunctionRequest(Request):
    """A scoring function to have."""

    model_config = example(
        scoring_fn_id="helpful",
        description="Is it helpful?",
        return_type={"type": "number"},
        provider_id="llm-as-judge",
        params={"type": "llm_as_judge", "judge_model": "openai/gpt-5", "prompt_template": "{generated_answer}"},
    )

    scoring_fn_id: ResourceId = Field(min_length=1, description="The name to ask for.")
    description: str | None = Field(
        None, max_length=10_000, description="What it does. Default: what its provider says, if it lists the function."
    )
    return_type: ParamType | None = Field(
        None, description="The type of its scores. Default: what its provider says, else a number."
    )
    provider_scoring_fn_id: ResourceId | None = Field(
        None, description="The provider's own name for it. Default: the same as `scoring_fn_id`."
    )
    provider_id: ResourceId | None = Field(
        None, description="The provider that it belongs to. Default: the only one that can."
    )
    params: ScoringParams | None = Field(
        None,
        description="What it is told, where a request does not say. Default: what its provider says, if it lists the"
        " function; of params of the same type, also for each one that is left out or empty.",
    )
    metadata: ResourceMetadata | None = Field(
        None, description="Your own words about it, at most 65,536 characters as JSON. Default: none."
    )


_AT, _ONE = "/v1/scoring-functions", "/v1/scoring-functions/{scoring_fn_id:path}"


class ScoringFunctions(Protocol):
    @route("GET", _AT, registry="list", returns=ScoringFunctionList)
    async def list_scoring_functions(self, request: Empty) -> ScoringFunctionList:
        """Every scoring function."""
        ...

    @route("GET", _ONE, registry="get")
    async def get_scoring_function(self, request: ScoringFunctionRequest) -> ScoringFunction:
        """One scoring function by its id. 404 with close matches for an unknown one."""
        ...

    @route("POST", _AT, registry="register")
    async def register_scoring_function(self, request: RegisterScoringFunctionRequest) -> ScoringFunction:
        """Register a scoring function; it is still there after a restart. 409 when the name is another's."""
        ...

    @route("DELETE", _ONE, registry="remove", status=204)
    async def unregister_scoring_function(self, request: ScoringFunctionRequest) -> None:
        """Forget a registered scoring function. 409 for one that is listed or of the run config."""
        ...


def answer(function: Registered) -> ScoringFunction:
    return ScoringFunction(
        identifier=function.id,
        provider_id=function.provider_id,
        provider_resource_id=function.provider_resource_id,
        description=function.facts.get("description"),
        metadata=dict(function.metadata),
        return_type=function.facts.get("return_type") or {"type": "number"},
        params=function.facts.get("params"),
    )
