"""A suite: cases, the model or agent that they are put to, and the functions that score its answers.

    name: capitals
    model: llama/SmolLM2-135M-Instruct
    system: Answer with one word.
    sampling: {max_tokens: 20}
    scoring_functions: [basic::equality, basic::subset_of]
    thresholds: {basic::equality: 0.8}
    cases:
      - {id: france, input: What is the capital of France?, expected: Paris, category: europe}

In place of `cases` and functions it may name a `benchmark` that the server has. `agent` is what an agent has beside the
model: the cases are put to one then.

Knows which rows and which candidate the server is given for it (`runtime/apis/eval`), and no file.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llama_cli.asking.evaluations import SUITES

_NAME = r"^[A-Za-z0-9._-]{1,64}$"
RESERVED = (
    *("question", "answer", "generated_answer", "expected_answer", "input_query", "completion_input"),
    "chat_completion_input",
)
"""Columns that an evaluation has for itself."""

_TYPES = {
    "basic": {"options"},
    "regex_parser": {"parsing_regexes"},
    "llm_as_judge": {"judge_model", "prompt_template", "judge_score_regexes", "score_range"},
}
_Text = Annotated[str, Field(min_length=1)]


def is_name(text: str) -> bool:
    """Whether a suite can be called so."""
    return re.match(_NAME, text) is not None


def as_name(text: str) -> str:
    """What a suite can be called, as near as can be."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:64] or "suite"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Sampling(_Part):
    """How answers are chosen; without any of it, the likeliest token each time."""

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    repetition_penalty: float | None = Field(None, gt=0)
    stop: list[str] | None = None

    def params(self) -> dict[str, Any]:
        """As the API has it."""
        strategy: dict[str, Any] = {"type": "greedy"}
        if self.top_k is not None:
            strategy = {"type": "top_k", "top_k": self.top_k}
        elif self.temperature or self.top_p is not None:
            strategy = {"type": "top_p", "top_p": self.top_p or 1.0}
            strategy |= {"temperature": self.temperature} if self.temperature else {}
        stated = self.model_dump(include={"max_tokens", "repetition_penalty", "stop"}, exclude_none=True)
        return {"strategy": strategy, **stated}


class Message(BaseModel):
    """One of a conversation, in OpenAI's form."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None


class Case(BaseModel):
    """What is asked, and what should be answered. Its other keys are columns that functions can read."""

    model_config = ConfigDict(extra="allow")

    id: _Text | None = None
    category: _Text | None = None
    input: _Text | None = None
    messages: Annotated[list[Message], Field(min_length=1)] | None = None
    expected: Any = None

    def row(self, *, as_messages: bool) -> dict[str, Any]:
        """As a dataset has it. as_messages: also where it is one question."""
        named = {"id": self.id, "category": self.category}
        if as_messages:
            asked: Any = [message.model_dump(exclude_unset=True) for message in self.messages or ()]
            question = {"messages": asked or [{"role": "user", "content": self.input}]}
        else:
            question = {"question": self.input}
        stated = {key: value for key, value in named.items() if value is not None}
        expected = {} if self.expected is None else {"answer": self.expected}
        return {**stated, **question, **expected, **(self.model_extra or {})}


class Suite(_Part):
    """All of it. scoring_functions: the params of each by its id, None for its usual ones. agent: an `AgentConfig` of
    the API but for what `model`, `system` and `sampling` say; None for a model alone. benchmark: one of the server.
    """

    name: str = Field(pattern=_NAME)
    model: _Text | None = None
    system: _Text | None = None
    sampling: Sampling = Field(default_factory=Sampling)
    agent: dict[str, Any] | None = None
    benchmark: _Text | None = None
    scoring_functions: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    thresholds: dict[str, float] = Field(default_factory=dict)
    cases: list[Case] = Field(default_factory=list)

    @property
    def id(self) -> str:
        """Of its benchmark, and of the dataset that it brings."""
        return self.benchmark or f"{SUITES}{self.name}"

    @property
    def asked_model(self) -> str | None:
        """The model, or that of the agent."""
        return self.model or (self.agent or {}).get("model")

    def dataset(self) -> dict[str, Any]:
        """What its dataset is registered with."""
        as_messages = any(case.messages for case in self.cases)
        return {
            "dataset_id": self.id,
            "purpose": f"eval/{'messages' if as_messages else 'question'}-answer",
            "source": {"type": "rows", "rows": [case.row(as_messages=as_messages) for case in self.cases]},
        }

    def registered(self) -> dict[str, Any]:
        """What its benchmark is registered with."""
        return {"benchmark_id": self.id, "dataset_id": self.id, "scoring_functions": [*self.scoring_functions]}

    def config(self, *, first: int | None = None) -> dict[str, Any]:
        """How it is run. It has a model. first: how many rows, from the first one on; None for all."""
        told = {name: _typed(params) for name, params in self.scoring_functions.items() if params is not None}
        config = {"eval_candidate": self._candidate(), "scoring_params": told}
        return config if first is None else {**config, "num_examples": first}

    def _candidate(self) -> dict[str, Any]:
        if self.agent is None:
            system = {"system_message": {"role": "system", "content": self.system}} if self.system else {}
            return {"type": "model", "model": self.model, "sampling_params": self.sampling.params(), **system}
        stated = {
            "model": self.model,
            "instructions": self.system,
            "sampling_params": self.sampling.params() if self.sampling.model_fields_set else None,
        }
        config = {"instructions": "", **self.agent, **{name: value for name, value in stated.items() if value}}
        return {"type": "agent", "config": config}


def _typed(params: dict[str, Any]) -> dict[str, Any]:
    """With their type, where their names tell it: each is of one type only (`runtime/apis/scoring/params.py`)."""
    found = next((kind for kind, names in _TYPES.items() if names & params.keys()), None)
    return params if "type" in params or found is None else {"type": found, **params}
