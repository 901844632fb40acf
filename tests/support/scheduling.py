"""A scheduler without a model: steps that only pretend to compute, and remember what stands on each page."""

from __future__ import annotations

from collections.abc import Sequence as Ids

from runtime.engine.requests.messages import PromptLogprob
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.scheduling.block_manager import BlockManager
from runtime.engine.scheduling.scheduler import Chunk, Scheduler
from runtime.engine.scheduling.sequence import Sequence

NEXT = 9
"""The token that every step samples."""


def scheduler(
    *,
    pages: int = 100,
    page_size: int = 4,
    batch: int = 4,
    tokens: int = 16,
    chunk: int | None = None,
    doubling: int | None = None,
    kept: int | None = None,
    guessed: int = 0,
) -> Scheduler:
    blocks = BlockManager(pages + 1, page_size, max_kept=kept)
    return Scheduler(
        blocks,
        max_batch_size=batch,
        max_step_tokens=tokens,
        prefill_chunk_tokens=chunk,
        doubling_tokens=doubling,
        guessed_tokens=guessed,
    )


def sequence(number: int, prompt: int | Ids[int], *, max_length: int = 1000, **facts: object) -> Sequence:
    """prompt: its tokens, or how many; these are the sequence's own."""
    tokens = [100 * number + at for at in range(prompt)] if isinstance(prompt, int) else list(prompt)
    params = facts.pop("params", SamplingParams())
    return Sequence(
        id=number,
        tokens=tokens,
        prompt_length=len(tokens),
        params=params,  # type: ignore[arg-type]
        seed=0,
        max_length=max_length,
        **facts,  # type: ignore[arg-type]
    )


def step(scheduler: Scheduler) -> list[tuple[int, int, bool]]:
    """Schedule, pretend to compute; finished sequences leave. (id, tokens, samples) per chunk."""
    chunks = scheduler.schedule()
    for chunk in chunks:
        advance(scheduler, chunk)
    return [(chunk.sequence.id, chunk.count, chunk.samples) for chunk in chunks]


def advance(scheduler: Scheduler, chunk: Chunk) -> None:
    """Every token that is sampled is `NEXT`, and so is every guess that is right."""
    sequence, right = chunk.sequence, 0
    scheduler.advance(chunk)
    is_over = chunk.samples and sequence.append(NEXT) is not None
    while not is_over and right < len(chunk.guess) and chunk.guess[right] == NEXT:
        right += 1
        scheduler.count(sequence, 1)
        is_over = sequence.append(NEXT) is not None
    if chunk.guess:
        sequence.lookup.judge(len(chunk.guess), right)
    if is_over:
        scheduler.remove(sequence.id)


class Pool:
    """What stands on each page, and whether a step only writes where it may and reads what it should."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.content: dict[tuple[int, int], tuple[int, ...]] = {}

    def compute(self, chunks: list[Chunk]) -> None:
        """Write the chunks. A place holds all tokens up to it, as keys and values depend on all of them."""
        size = self.scheduler.blocks.page_size
        for chunk in chunks:
            self._copy(chunk)
        before = {id(chunk): self._read(chunk.sequence) for chunk in chunks}
        for chunk in chunks:
            one = chunk.sequence
            assert before[id(chunk)] == [tuple(one.tokens[: at + 1]) for at in range(one.computed)]
            tokens = (*one.tokens, *chunk.guess)
            for at in range(one.computed, one.computed + chunk.rows):
                page = one.pages[at // size]
                others = (two for two in self.scheduler.running if two is not one)
                assert not any(page in two.pages for two in others), "a shared page is written"
                self.content[page, at % size] = tokens[: at + 1]
            if one.params.prompt_logprobs:
                for at in range(max(len(one.prompt_logprobs), one.computed) + 1, one.computed + chunk.count + 1):
                    if at < one.prompt_length:
                        one.prompt_logprobs.append(PromptLogprob(token_id=one.tokens[at], logprob=0.0))

    def _copy(self, chunk: Chunk) -> None:
        if chunk.copies is None:
            return
        source, target = chunk.copies
        assert source == chunk.sequence.source, "the source may be given to others"
        assert [one.id for one in self.scheduler.running if target in one.pages] == [chunk.sequence.id]
        for at in range(self.scheduler.blocks.page_size):
            self.content[target, at] = self.content.get((source, at), ())

    def _read(self, one: Sequence) -> list[tuple[int, ...] | None]:
        size = self.scheduler.blocks.page_size
        return [self.content.get((one.pages[at // size], at % size)) for at in range(one.computed)]
