"""The state of one sequence: its tokens, how far they are computed, and the pages that hold them. Ids only, no tensors.

A preempted sequence loses its pages and keeps its tokens:

    waiting <-> running -> finished
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runtime.engine.requests.grammar import Matcher
from runtime.engine.requests.messages import FinishReason, PromptLogprob
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.scheduling.speculative import PromptLookup
from runtime.engine.scheduling.token_counts import TokenCounts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(eq=False, slots=True, kw_only=True)
class Sequence:
    """tokens: prompt and output in one list. computed: how many of them have keys and values on `pages`.

    max_length: in tokens; at this length the sequence ends with reason `length`. end_ids: tokens that end it with
    reason `stop`. matcher: the grammar that the output keeps to, at its end. prompt_logprobs: of the prompt's tokens
    from the second on, as far as they are known. priority: lower is earlier. salt: keeps its pages from others'.

    For the scheduler: order, by arrival; born, the tokens that had arrived in all, with its own; preemptions, how
    often it lost its pages; keys, of its first full pages; lookup, what guesses its next tokens; cached_tokens, of its
    prompt, which were found computed. For changes to its logits: counts, of all its tokens, and output_counts; biased,
    [tokens], int64, the ids that have a bias, and biases, [tokens], float32. For the worker: arrived_s and started_s,
    of `time.monotonic`; None until its first step. For its next step: source, a held page whose beginning is copied to
    the page that is computed next.
    """

    id: int
    tokens: list[int]
    prompt_length: int
    params: SamplingParams
    seed: int
    max_length: int
    end_ids: frozenset[int] = frozenset()
    matcher: Matcher | None = None
    prompt_logprobs: list[PromptLogprob] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    computed: int = 0
    priority: int = 0
    salt: str = ""
    order: int = 0
    born: int = 0
    preemptions: int = 0
    keys: list[bytes] = field(default_factory=list)
    arrived_s: float = 0.0
    started_s: float | None = None
    cached_tokens: int = 0
    source: int | None = None
    lookup: PromptLookup = field(default_factory=PromptLookup)
    counts: TokenCounts = field(init=False)
    output_counts: TokenCounts = field(init=False)
    biased: NDArray[np.int64] = field(init=False)
    biases: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        import numpy as np  # not above: a server imports this before it loads a model

        self.counts, self.output_counts = TokenCounts(), TokenCounts(self.prompt_length)
        # A bias may be of the whole vocabulary: too much to be laid out anew in every step.
        self.biased = np.array(list(self.params.logit_bias), np.int64)
        self.biases = np.array(list(self.params.logit_bias.values()), np.float32)

    @property
    def pending(self) -> int:
        """Tokens that are not computed yet."""
        return len(self.tokens) - self.computed

    @property
    def is_decoding(self) -> bool:
        """Whether its prompt is computed, but for one token at most."""
        return self.pending == 1 or self.computed >= self.prompt_length

    @property
    def reusable(self) -> int:
        """How many of its first tokens need not be computed where their keys and values are known: all but the last,
        which is sampled after, and all whose log-probabilities are not asked for or known.
        """
        known = len(self.prompt_logprobs)
        if self.params.prompt_logprobs and known < self.prompt_length - 1:
            return known
        return len(self.tokens) - 1

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
