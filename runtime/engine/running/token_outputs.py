"""A sampled token as the reader of its sequence gets it. Knows sequences; not steps or scheduling."""

from __future__ import annotations

from runtime.engine.requests.messages import Prefill, TokenOutput
from runtime.engine.sampling.sampled import Sampled
from runtime.engine.scheduling.sequence import Sequence


def append_token(sequence: Sequence, sampled: Sampled, now: float) -> TokenOutput:
    """Add a token to its sequence; what its reader is told of it."""
    index = sequence.output_length
    finish_reason = sequence.append(sampled.token_id)
    return TokenOutput(
        token_id=sampled.token_id,
        index=index,
        logprob=sampled.logprob,
        top_logprobs=sampled.top_logprobs,
        finish_reason=finish_reason,
        prompt=tuple(sequence.prompt_logprobs) if sequence.params.prompt_logprobs and not index else None,
        at_s=now,
        prefill=None if index else _prefill(sequence, now),
    )


def _prefill(sequence: Sequence, now: float) -> Prefill:
    """How the prompt of a sequence that has its first token `now` was computed."""
    started = now if sequence.started_s is None else sequence.started_s
    waited_s = max(0.0, started - sequence.arrived_s)
    return Prefill(cached_tokens=sequence.cached_tokens, waited_s=waited_s, computed_s=now - started)
