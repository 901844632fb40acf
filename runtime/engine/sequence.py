"""The state of one sequence: its tokens, how far they are computed, and the pages that hold them. Ids only, no tensors.

A preempted sequence loses its pages and keeps its tokens:

    waiting <-> running -> finished
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.engine.grammar import Matcher
from runtime.engine.messages import FinishReason, TokenLogprob
from runtime.engine.sampling_params import SamplingParams


@dataclass(eq=False, slots=True, kw_only=True)
class Sequence:
    """tokens: prompt and output in one list. computed: how many of them have keys and values on `pages`.

    max_length: in tokens; at this length the sequence ends with reason `length`. end_ids: tokens that end it with
    reason `stop`. matcher: the grammar that the output keeps to, at its end. prompt_logprobs: of the prompt's tokens
    from the second on, as far as they are known.
    """

    id: int
    tokens: list[int]
    prompt_length: int
    params: SamplingParams
    seed: int
    max_length: int
    end_ids: frozenset[int] = frozenset()
    matcher: Matcher | None = None
    prompt_logprobs: list[TokenLogprob] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    computed: int = 0

    @property
    def pending(self) -> int:
        """Tokens that are not computed yet: one while decoding, more while prefilling."""
        return len(self.tokens) - self.computed

    @property
    def output_length(self) -> int:
        return len(self.tokens) - self.prompt_length

    def append(self, token_id: int) -> FinishReason | None:
        """Add a sampled token. Returns why the sequence ends with it; None where it goes on."""
        self.tokens.append(token_id)
        if token_id in self.end_ids:
            return "stop"
        if self.matcher is not None:
            self.matcher.accept(token_id)
        return "length" if len(self.tokens) >= self.max_length else None
