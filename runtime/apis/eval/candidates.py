"""What is evaluated, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._earlier.content import InterleavedContent
from runtime.apis._earlier.sampling import SamplingParams
from runtime.apis._names import ResourceId
from runtime.apis._request import Request
from runtime.apis.agents.agent import AgentConfig
from runtime.apis.scoring.params import ScoringParams
from runtime.apis.scoring.protocol import MOST_FUNCTIONS


class CandidateSystemMessage(Request):
    """What a model is told before each row."""

    role: Literal["system"] = Field("system", description="Always `system`, which is the default.")
    content: InterleavedContent = Field(description="The text.")


class ModelCandidate(Request):
    """A model."""

    type: Literal["model"] = Field("model", description="Always `model`, which is the default.")
    model: ResourceId = Field(min_length=1, description="The model that is asked.")
    sampling_params: SamplingParams = Field(
        default_factory=SamplingParams,
        description="How its answers are chosen. Default: the likeliest token each time.",
    )
    system_message: CandidateSystemMessage | None = Field(
        None, description="What it is told before each row. Default: nothing."
    )


class AgentCandidate(Request):
    """An agent: a model with instructions and tools, to which each row is a session of its own."""

    type: Literal["agent"] = Field("agent", description="Always `agent`, which is the default.")
    config: AgentConfig = Field(description="What the agent is.")


class BenchmarkConfig(Request):
    """How a benchmark is run."""

    type: Any = Field(None, description="Without effect: older clients send it. Default: none.")
    eval_candidate: Annotated[ModelCandidate | AgentCandidate, Field(discriminator="type")] = Field(
        description="What is evaluated."
    )
    scoring_params: Annotated[dict[ResourceId, ScoringParams], Field(max_length=MOST_FUNCTIONS)] = Field(
        default_factory=dict,
        description="What the functions are told, by their ids. Default: what they were registered with.",
    )
    num_examples: int | None = Field(None, ge=1, description="Only so many rows, the first ones. Default: all.")
