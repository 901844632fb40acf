"""What a sampled token adds to a sequence, as its reader gets it. Knows sequences; not steps or scheduling."""

from __future__ import annotations

from runtime.engine.messages import Prefill, TokenOutput
from runtime.engine.sampled import Sampled
from runtime.engine.sequence import Sequence


def added_by(sequence: Sequence, sampled: Sampled, now: float) -> list[TokenOutput]:
    """What a sampled token adds to a sequence: itself, and the tokens that must follow it."""
    index = sequence.output_length
    finish_reason = sequence.append(sampled.token_id)
    first = TokenOutput(
        token_id=sampled.token_id,
        index=index,
        logprob=sampled.logprob,
        top_logprobs=sampled.top_logprobs,
        finish_reason=finish_reason,
        prompt=tuple(sequence.prompt_logprobs) if sequence.params.prompt_logprobs and not index else None,
        at_s=now,
        prefill=None if index else _prefill(sequence, now),
    )
    added = [first]
    for token_id in sequence.forced() if finish_reason is None else ():
        index += 1
        finish_reason = sequence.append(token_id)
        added.append(TokenOutput(token_id=token_id, index=index, finish_reason=finish_reason, at_s=now))
        if finish_reason is not None:
            break
    return added


def _prefill(sequence: Sequence, now: float) -> Prefill:
    """How the prompt of a sequence that has its first token `now` was computed."""
    started = now if sequence.started_s is None else sequence.started_s
    waited_s = max(0.0, started - sequence.arrived_s)
    return Prefill(cached_tokens=sequence.cached_tokens, waited_s=waited_s, computed_s=now - started)
