"""What crosses between the event loop and the engine's thread: plain data, both ways. No tensors, no torch.

loop   -> thread   Add, Abort, Stop            one at a time, through a queue
thread -> loop     Progress, Ready, StepBatch  one call per step; Closed is the last
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runtime import errors
from runtime.engine.memory_plan import MemoryPlan
from runtime.engine.model_config import ModelConfig
from runtime.engine.sampling_params import SamplingParams

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenLogprob:
    """A token of the prompt: its log-probability given what stands before it, and the likeliest tokens there."""

    token_id: int
    logprob: float
    top_logprobs: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenOutput:
    """One generated token. index: its place in the completion, from 0.

    logprob: natural logarithm, of the raw distribution; None unless asked for. top_logprobs: (token id,
    log-probability), likeliest first. finish_reason: set on the last one; a token that stops the sequence is still
    given.
    prompt_logprobs: on the first token, when asked for: one entry per prompt token, None for the first.
    """

    token_id: int
    index: int
    logprob: float | None = None
    top_logprobs: tuple[tuple[int, float], ...] = ()
    finish_reason: FinishReason | None = None
    prompt_logprobs: tuple[TokenLogprob | None, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineStats:
    """Counts of now (sequences, pages of `page_size` tokens) and since the start (steps, tokens, preemptions)."""

    running: int = 0
    waiting: int = 0
    pages_used: int = 0
    pages_total: int = 0
    page_size: int = 0
    weights_bytes: int = 0
    steps: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    preemptions: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Add:
    """Start a sequence. params: with a seed; the front has validated everything."""

    sequence_id: int
    prompt: tuple[int, ...]
    params: SamplingParams


@dataclass(frozen=True, kw_only=True, slots=True)
class Abort:
    """End a sequence at the next step and free its pages. Unknown ids are ignored: it may just have finished."""

    sequence_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """End everything."""


Command = Add | Abort | Stop


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far loading has come. done, total: bytes of working weights."""

    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """The model is loaded."""

    config: ModelConfig
    plan: MemoryPlan
    stats: EngineStats


@dataclass(frozen=True, kw_only=True, slots=True)
class StepBatch:
    """All that one step brought, by sequence id."""

    stats: EngineStats
    outputs: Mapping[int, TokenOutput] = field(default_factory=dict)
    failures: Mapping[int, errors.StackError] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """The thread has ended. error: why every sequence that is left fails, or why loading did; stats: the last word."""

    error: errors.StackError
    stats: EngineStats = field(default_factory=EngineStats)


Report = Progress | Ready | StepBatch | Closed
