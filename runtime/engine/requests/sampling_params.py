"""How one sequence is sampled and when it ends. Knows token ids; no text, no tensors, no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime import errors
from runtime.engine.requests.grammar import Grammar

# Logits divided by less could be infinite in float32.
_LEAST_TEMPERATURE = 1e-5


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """The sampling parameters of one request, in the order in which they are applied.

    To the raw logits: `repetition_penalty` (over prompt and output; Keskar et al. 2019, CTRL, section 4.1),
    `frequency_penalty` and `presence_penalty` (over the output; OpenAI's definition), `logit_bias` (added, by token
    id). Then `temperature` (below 0.00001 the likeliest token is taken), `top_k` (0 keeps all; Fan et al. 2018),
    `top_p` (Holtzman et al. 2020, section 3.1), `min_p` (a share of the likeliest token's probability; Nguyen et al.
    2024), each on the tokens that the one before it kept.

    max_tokens: None lets the sequence run to the end of its context. seed: None takes a random one; the same seed and
    request give the same tokens. logprobs: None for none, else how many of the likeliest tokens to add to the chosen
    one; they are of the raw distribution, before all of the above, and with `prompt_logprobs` the prompt's tokens have
    them too. stop_token_ids end the sequence like the model's own
    end tokens, which `ignore_eos` disables. grammar: what the tokens keep to; others are left out after `logit_bias`,
    and end tokens wherever it does not allow an end.

    Raises RequestError, naming the field, for a value outside its range.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int | None = None
    seed: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    logprobs: int | None = None
    prompt_logprobs: bool = False
    stop_token_ids: frozenset[int] = frozenset()
    ignore_eos: bool = False
    grammar: Grammar | None = None

    def __post_init__(self) -> None:
        _within("temperature", self.temperature, 0, 100)
        _within("top_p", self.top_p, 0, 1)
        _within("min_p", self.min_p, 0, 1)
        _within("frequency_penalty", self.frequency_penalty, -2, 2)
        _within("presence_penalty", self.presence_penalty, -2, 2)
        _within("repetition_penalty", self.repetition_penalty, 0.01, 100)
        if self.top_k < 0:
            raise _refused("top_k", self.top_k, "0 (all tokens) or more")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise _refused("max_tokens", self.max_tokens, "1 or more")
        if self.logprobs is not None and self.logprobs < 0:
            raise _refused("logprobs", self.logprobs, "0 or more")
        if self.grammar is not None and self.ignore_eos:
            raise errors.RequestError(
                "`ignore_eos` cannot be combined with a form of the answer, which ends it.", param="ignore_eos"
            )
        for bias in self.logit_bias.values():
            _within("logit_bias", bias, -100, 100)

    @property
    def is_greedy(self) -> bool:
        return self.temperature < _LEAST_TEMPERATURE or self.top_k == 1

    @property
    def is_truncated(self) -> bool:
        """Whether only the likeliest tokens are drawn from, so that they must be sorted."""
        return self.top_k > 0 or self.top_p < 1

    @property
    def changes_logits(self) -> bool:
        return bool(self.logit_bias or self.frequency_penalty or self.presence_penalty or self.repetition_penalty != 1)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise _refused(name, value, f"between {low} and {high}")


def _refused(name: str, value: object, allowed: str) -> errors.RequestError:
    return errors.RequestError(f"`{name}` is {value}; it must be {allowed}.", param=name, code="invalid_value")
