"""Steps whose tokens need not be known before the next one is launched: while a device computes, the thread that feeds
it hands out what came before. Knows counts and pages; no tensors. Overlapped scheduling, as in SGLang 0.4:
https://lmsys.org/blog/2024-12-04-sglang-v0-4/
"""

from __future__ import annotations

from runtime.engine.scheduling.scheduler import Chunk, Scheduler


def leaves_logits_alone(chunk: Chunk) -> bool:
    """Whether the token after a chunk depends on nothing but its logits and a draw, so that a device can take it."""
    sequence, params = chunk.sequence, chunk.sequence.params
    is_plain = sequence.matcher is None and params.logprobs is None and not params.changes_logits
    return chunk.samples and not chunk.guess and is_plain and not params.prompt_logprobs


def following(scheduler: Scheduler, chunks: list[Chunk]) -> list[Chunk]:
    """The step after one of these chunks, which may still be computed: the next token of each of its sequences. Gives
    them the pages for that. Empty where the scheduler would choose another step, as with guesses, or a page is missing.

    Those that end with the token that is being computed, and not by their length, are among them.
    """
    live = [chunk.sequence for chunk in chunks if scheduler.has(chunk.sequence.id)]
    going = [sequence for sequence in live if len(sequence.tokens) + 1 < sequence.max_length]
    due = len(scheduler.due(scheduler.running))
    if scheduler.guessed_tokens or len(live) < due or not all(map(leaves_logits_alone, chunks)):
        return []
    waiting = scheduler.due(scheduler.waiting)
    if waiting and (
        len(going) < scheduler.max_batch_size or waiting[0].priority < max(sequence.priority for sequence in going)
    ):
        return []
    wanted = [max(0, scheduler.blocks.pages_for(len(one.tokens) + 1) - len(one.pages)) for one in going]
    if sum(wanted) > scheduler.blocks.free:
        return []
    for sequence, count in zip(going, wanted, strict=True):
        sequence.pages += scheduler.blocks.allocate(count)
    return [Chunk(sequence, 1, samples=True) for sequence in going]
