"""Who is computed when: budgets, order, admission, preemption. No model: tokens are appended by the test."""

from __future__ import annotations

import random

from runtime.engine.block_manager import BlockManager
from runtime.engine.sampling_params import SamplingParams
from runtime.engine.scheduler import Chunk, Scheduler
from runtime.engine.sequence import Sequence


def scheduler(*, pages: int = 100, page_size: int = 4, batch: int = 4, tokens: int = 16) -> Scheduler:
    return Scheduler(BlockManager(pages + 1, page_size), max_batch_size=batch, max_step_tokens=tokens)


def sequence(number: int, length: int, *, max_length: int = 1000) -> Sequence:
    return Sequence(
        id=number, tokens=[7] * length, prompt_length=length, params=SamplingParams(), seed=0, max_length=max_length
    )


def step(scheduler: Scheduler) -> list[tuple[int, int, bool]]:
    """Schedule, pretend to compute; finished sequences leave. (id, tokens, samples) per chunk."""
    chunks = scheduler.schedule()
    for chunk in chunks:
        advance(scheduler, chunk)
    return [(chunk.sequence.id, chunk.count, chunk.samples) for chunk in chunks]


def advance(scheduler: Scheduler, chunk: Chunk) -> None:
    chunk.sequence.computed += chunk.count
    if chunk.samples and chunk.sequence.append(9) is not None:
        scheduler.remove(chunk.sequence.id)


def test_a_long_prompt_is_computed_in_chunks_of_the_budget() -> None:
    it = scheduler()
    it.add(sequence(1, 40))
    assert [step(it) for _ in range(4)] == [[(1, 16, False)], [(1, 16, False)], [(1, 8, True)], [(1, 1, True)]]


def test_decoding_comes_before_the_next_chunk_of_a_prompt() -> None:
    it = scheduler()
    it.add(sequence(1, 3))
    assert step(it) == [(1, 3, True)]
    it.add(sequence(2, 40))
    it.add(sequence(3, 2))
    assert step(it) == [(1, 1, True), (2, 15, False)]
    assert step(it) == [(1, 1, True), (2, 15, False)]
    assert step(it) == [(1, 1, True), (2, 10, True), (3, 2, True)]
    assert step(it) == [(1, 1, True), (2, 1, True), (3, 1, True)]


def test_no_more_sequences_run_than_the_batch_holds() -> None:
    it = scheduler(batch=2)
    for number in (1, 2, 3):
        it.add(sequence(number, 2, max_length=4))
    assert [id for id, *_ in step(it)] == [1, 2]
    assert [id for id, *_ in step(it)] == [1, 2]
    assert [id for id, *_ in step(it)] == [3]


def test_a_sequence_waits_until_there_are_pages_for_its_whole_prompt() -> None:
    it = scheduler(pages=5)
    it.add(sequence(1, 8, max_length=10))
    it.add(sequence(2, 13))
    assert step(it) == [(1, 8, True)]
    assert step(it) == [(1, 1, True)]
    assert step(it) == [(2, 13, True)]


def test_the_youngest_gives_up_its_pages_and_is_computed_again() -> None:
    it = scheduler(pages=4)
    first, second = sequence(1, 8), sequence(2, 8)
    it.add(first)
    it.add(second)
    assert step(it) == [(1, 8, True), (2, 8, True)]
    # Both need a third page now and none is free.
    assert step(it) == [(1, 1, True)]
    assert (it.preemptions, second.pages, second.computed) == (1, [], 0)
    assert list(it.waiting) == [second]
    while len(first.tokens) < 12:
        step(it)
    it.remove(1)
    assert step(it) == [(2, 9, True)]


def test_a_preempted_sequence_comes_before_newer_ones() -> None:
    it = scheduler(pages=4, batch=2)
    for number in (1, 2, 3):
        it.add(sequence(number, 8))
    step(it)
    step(it)
    assert [waiting.id for waiting in it.waiting] == [2, 3]


def test_removing_frees_pages_wherever_the_sequence_is() -> None:
    it = scheduler(pages=5, batch=1)
    it.add(sequence(1, 8))
    it.add(sequence(2, 8))
    step(it)
    assert it.remove(2) is not None
    assert it.remove(1) is not None
    assert it.remove(1) is None
    assert (it.blocks.used, it.has_work) == (0, False)


def test_random_traffic_ends_and_leaks_nothing() -> None:
    """Whatever comes, every step advances someone, no page is held twice, and each sequence gets all its tokens."""
    for seed in range(30):
        dice = random.Random(seed)
        it = scheduler(pages=dice.randint(10, 30), batch=dice.randint(1, 6), tokens=dice.randint(6, 20))
        arriving = [sequence(number, dice.randint(1, 30)) for number in range(25)]
        for one in arriving:
            one.max_length = min(40, one.prompt_length + dice.randint(1, 20))
        everyone, aborted = list(arriving), set()
        for _ in range(5000):
            while arriving and dice.random() < 0.3:
                it.add(arriving.pop())
            if it.running and dice.random() < 0.02:
                victim = dice.choice(it.running)
                it.remove(victim.id)
                aborted.add(victim.id)
            if it.has_work:
                chunks = it.schedule()
                assert chunks
                assert sum(chunk.count for chunk in chunks) <= it.max_step_tokens
                assert len({chunk.sequence.id for chunk in chunks}) == len(chunks) <= it.max_batch_size
                held = [page for one in it.running for page in one.pages]
                assert len(held) == len(set(held)) == it.blocks.used
                for chunk in chunks:
                    assert it.blocks.pages_for(chunk.sequence.computed + chunk.count) <= len(chunk.sequence.pages)
                    advance(it, chunk)
            elif not arriving:
                break
        assert not it.has_work
        assert not arriving
        assert it.blocks.used == 0
        assert all(len(one.tokens) == one.max_length for one in everyone if one.id not in aborted)
