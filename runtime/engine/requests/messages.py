"""What the event loop and the engine's thread send each other: plain data, both ways. No tensors, no torch.
A grammar is the exception: it is compiled beforehand, so that a step never waits for that.

loop   -> thread   Add, Abort, Stop            one at a time, through a queue
thread -> loop     Ready, StepBatch            one call per step; Closed is the last
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from runtime import errors
from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.memory.plan import MemoryPlan
from runtime.engine.requests.sampling_params import SamplingParams

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptLogprob:
    """A token of the prompt: its log-probability after the tokens before it, and the likeliest tokens in its place."""

    token_id: int
    logprob: float
    top_logprobs: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefill:
    """How a prompt was computed. cached_tokens: those found on pages of earlier sequences. waited_s: until its first
    step. computed_s: from there to its first token.
    """

    cached_tokens: int
    waited_s: float
    computed_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenOutput:
    """One generated token. index: its place in the completion, from 0. at_s: when its step ended, of `time.monotonic`.

    logprob: natural logarithm, of the raw distribution; None unless asked for. top_logprobs: (token id,
    log-probability), likeliest first. finish_reason: set on the last token; the end token itself is included.
    prompt: on the first token, where asked for: the tokens of the prompt from the second on; else None. prefill: on the
    first token.
    """

    token_id: int
    index: int
    logprob: float | None = None
    top_logprobs: tuple[tuple[int, float], ...] = ()
    finish_reason: FinishReason | None = None
    prompt: tuple[PromptLogprob, ...] | None = None
    at_s: float = 0.0
    prefill: Prefill | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineStats:
    """Now: sequences, and pages of `page_size` tokens; pages_kept: free ones whose content can still be found. Since
    the start: pages that were ever used (`pages_touched`), steps, prompt tokens that were computed and that were found
    computed (`cached_tokens`), generated tokens, tokens that were guessed and those of them that were right
    (`speculative.py`), preemptions, steps that ran out of memory and were tried again smaller; of steps by torch, those
    launched operator by operator (`eager_steps`), and CUDA graphs that were replayed and captured. at_s: when this was
    so, of `time.monotonic`.
    """

    running: int = 0
    waiting: int = 0
    pages_used: int = 0
    pages_kept: int = 0
    pages_touched: int = 0
    pages_total: int = 0
    page_size: int = 0
    weights_bytes: int = 0
    steps: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    guessed_tokens: int = 0
    accepted_tokens: int = 0
    preemptions: int = 0
    out_of_memory: int = 0
    eager_steps: int = 0
    graph_replays: int = 0
    graph_captures: int = 0
    at_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Add:
    """Start a sequence. params: with a seed. `Engine` has checked everything.

    priority: lower is earlier. cache_salt: sequences with different ones share no pages. at_s: when it was asked for,
    of `time.monotonic`.
    """

    sequence_id: int
    prompt: tuple[int, ...]
    params: SamplingParams
    priority: int = 0
    cache_salt: str = ""
    at_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Abort:
    """End a sequence at the next step and free its pages. An unknown id is ignored: it may just have finished."""

    sequence_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """End everything."""


Command = Add | Abort | Stop


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """The model is loaded."""

    config: ModelConfig
    plan: MemoryPlan
    stats: EngineStats


@dataclass(frozen=True, kw_only=True, slots=True)
class StepBatch:
    """The results of one step, by sequence id: one token, and more where they were guessed."""

    stats: EngineStats
    outputs: Mapping[int, Sequence[TokenOutput]] = field(default_factory=dict)
    failures: Mapping[int, errors.StackError] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """The thread has ended. error: of loading, or of every sequence that is left."""

    error: errors.StackError


Report = Ready | StepBatch | Closed
