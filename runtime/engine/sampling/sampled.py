"""What sampling gives, and where its randomness comes from. No tensors.

Randomness is counter-based: the draw for a token depends only on the sequence's seed and the token's place in its
output, so other sequences, preemption and restarts do not change it. One uniform number per token is looked up in the
cumulative sum of the distribution (inverse transform sampling: Devroye 1986, section III.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import RequestError

# In place of a token id where damaged weights or an overflow make NaN, or infinity as the largest logit.
NO_TOKEN = -1
_MASK64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sampled token. token_id: NO_TOKEN where the logits were not finite, or where there is a failure: the grammar
    could not be followed.

    logprob and top_logprobs: as in TokenOutput.
    """

    token_id: int
    logprob: float | None = None
    top_logprobs: tuple[tuple[int, float], ...] = ()
    failure: RequestError | None = None


def uniform(seed: int, index: int) -> float:
    """A number in [0, 1) from a seed and a counter: two rounds of SplitMix64 (Steele et al. 2014), top 53 bits."""
    return (_mixed(_mixed(seed & _MASK64) + index & _MASK64) >> 11) * 2.0**-53


def _mixed(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK64
    return value ^ (value >> 31)
