"""Who is computed when: budgets, order, admission, preemption. No model: tokens are appended by the test."""

from __future__ import annotations

import random

from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.scheduling.scheduler import IDLE_PRIORITY
from tests.support.scheduling import NEXT, Pool, advance, scheduler, sequence, step


def test_a_long_prompt_is_computed_in_chunks_of_the_budget() -> None:
    it = scheduler()
    it.add(sequence(1, 40))
    assert [step(it) for _ in range(4)] == [[(1, 16, False)], [(1, 16, False)], [(1, 8, True)], [(1, 1, True)]]


def test_decoding_comes_before_the_next_chunk_of_a_prompt() -> None:
    it = scheduler()
    it.add(sequence(1, 3))
    assert step(it) == [(1, 3, True)]
    it.add(sequence(2, 40))
    assert step(it) == [(1, 1, True), (2, 15, False)]
    assert step(it) == [(1, 1, True), (2, 15, False)]
    it.add(sequence(3, 12))
    assert step(it) == [(1, 1, True), (2, 10, True), (3, 5, False)]
    assert step(it) == [(1, 1, True), (2, 1, True), (3, 7, True)]


def test_chunks_are_smaller_beside_tokens_that_somebody_waits_for() -> None:
    it = scheduler(chunk=6)
    it.add(sequence(1, 40, max_length=45))
    assert [step(it) for _ in range(3)] == [[(1, 16, False)], [(1, 16, False)], [(1, 8, True)]]
    it.add(sequence(2, 30))
    assert [step(it) for _ in range(4)] == [[(1, 1, True), (2, 6, False)]] * 4
    assert step(it) == [(2, 6, True)]


def test_chunks_beside_others_grow_smaller_as_their_tokens_cost_more() -> None:
    it = scheduler(tokens=50, chunk=40, doubling=100)
    it.add(sequence(1, 3))
    step(it)
    it.add(sequence(2, 150))
    counts = [step(it)[1][1] for _ in range(6)]
    assert counts == [40, 28, 23, 20, 18, 17]  # 40 / 1, 40 / 1.4, 40 / 1.68 ...
    it.remove(1)
    assert step(it) == [(2, 4, True)]


def test_late_tokens_leave_less_of_a_chunk_to_others() -> None:
    it = scheduler(tokens=50, chunk=20, doubling=10, batch=5)
    it.add(sequence(1, 50))
    assert step(it) == [(1, 50, True)]
    it.add(sequence(2, 24))
    assert step(it) == [(1, 1, True), (2, 20, False)]
    it.add(sequence(3, 30))
    assert step(it) == [(1, 1, True), (2, 4, True), (3, 8, False)]  # 4 tokens at three times the cost leave 8


def test_guesses_have_what_others_leave_of_a_step() -> None:
    """However often they are right: a prompt must not wait until an answer that repeats itself has ended."""
    it = scheduler(tokens=16, guessed=40)
    it.add(sequence(1, [NEXT] * 8))
    for _ in range(5):
        step(it)
    it.add(sequence(2, 20))
    for counts, guessed in (([1, 15], 0), ([1, 5], 10)):
        chunks = it.schedule()
        assert ([chunk.count for chunk in chunks], sum(len(chunk.guess) for chunk in chunks)) == (counts, guessed)
        for chunk in chunks:
            advance(it, chunk)


def test_a_short_prompt_overtakes_a_long_one_that_is_being_read() -> None:
    it = scheduler(tokens=10)
    it.add(sequence(1, 40))
    assert step(it) == [(1, 10, False)]
    it.add(sequence(2, 4))
    assert step(it) == [(2, 4, True), (1, 6, False)]


def test_a_long_prompt_is_overtaken_by_no_more_tokens_than_it_has() -> None:
    """While short ones keep coming, two in each step and more than the machine can do."""
    it = scheduler(tokens=10, batch=10)
    it.add(sequence(1, 30))
    overtaken, number = 0, 1
    while 1 in it.ids():
        for _ in range(2):
            number += 1
            it.add(sequence(number, 8, max_length=9))
        for id, count, samples in step(it):
            overtaken += count if id != 1 else 0
            if id == 1 and samples:
                it.remove(1)
    assert 0 < overtaken <= 30


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
    assert it.waiting == [second]
    while len(first.tokens) < 12:
        step(it)
    it.remove(1)
    assert step(it) == [(2, 5, True)]  # its first page still has its content


def test_a_preempted_sequence_that_lost_all_its_pages_starts_over() -> None:
    it = scheduler(pages=4, kept=0)
    it.add(sequence(1, 8, max_length=12))
    it.add(sequence(2, 8))
    assert [step(it) for _ in range(5)] == [
        [(1, 8, True), (2, 8, True)],
        *[[(1, 1, True)]] * 3,
        [(2, 9, True)],
    ]


def test_a_preempted_sequence_comes_before_newer_ones() -> None:
    it = scheduler(pages=4, batch=2)
    for number, length in ((1, 8), (2, 8), (3, 4)):
        it.add(sequence(number, length))
    step(it)
    step(it)
    assert [waiting.id for waiting in it.waiting] == [2, 3]  # though the newer one is shorter


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
    """Whatever comes, every step advances someone, a page is written by one sequence and read by those whose tokens are
    on it, and each sequence gets all its tokens.
    """
    guesses = copied = 0
    for seed in range(60):
        dice = random.Random(seed)
        page_size = dice.choice([4, 8])
        it = scheduler(
            pages=dice.randint(10, 30) * 4 // page_size,
            page_size=page_size,
            batch=dice.randint(1, 6),
            tokens=dice.randint(6, 20),
            chunk=dice.choice([None, 1, 4]),
            doubling=dice.choice([None, 5]),
            kept=dice.choice([None, 0, 3]),
            guessed=dice.choice([0, 0, 12]),
        )
        pool = Pool(it)
        beginnings = [[start] * 40 for start in range(3)]
        arriving = []
        for number in range(25):
            prompt = dice.choice(beginnings)[: dice.randint(1, 28)] + [number] * dice.randint(0, 2)
            one = sequence(
                number,
                prompt,
                priority=dice.choice([0, 0, 1, IDLE_PRIORITY]),
                salt=dice.choice(["", "", "s"]),
                params=SamplingParams(prompt_logprobs=dice.random() < 0.2),
            )
            one.max_length = min(40, one.prompt_length + dice.randint(1, 20))
            arriving.append(one)
        everyone, aborted = list(arriving), set()
        for _ in range(5000):
            while arriving and dice.random() < 0.3:
                it.add(arriving.pop())
            if it.running and dice.random() < 0.02:
                victim = dice.choice(it.running)
                it.remove(victim.id, is_damaged=dice.random() < 0.3)
                aborted.add(victim.id)
            if it.has_work:
                chunks = it.schedule()
                assert chunks
                assert sum(chunk.rows for chunk in chunks) <= it.max_step_tokens
                assert len({chunk.sequence.id for chunk in chunks}) == len(chunks) <= it.max_batch_size
                held = {page for one in it.running for page in one.pages}
                sources = {one.source for one in it.running if one.source is not None}
                copied += len(sources)
                assert len(held | sources) == it.blocks.used
                if dice.random() < 0.05 and it.relieve(chunks):
                    continue
                pool.compute(chunks)
                for chunk in chunks:
                    assert it.blocks.pages_for(chunk.sequence.computed + chunk.rows) <= len(chunk.sequence.pages)
                    guesses += bool(chunk.guess)
                    advance(it, chunk)
            elif not arriving:
                break
        assert not it.has_work
        assert not arriving
        assert it.blocks.used == 0
        assert it.blocks.kept <= it.blocks.total
        finished = [one for one in everyone if one.id not in aborted]
        assert all(len(one.tokens) == one.max_length for one in finished)
        known = [len(one.prompt_logprobs) for one in finished if one.params.prompt_logprobs]
        assert known == [one.prompt_length - 1 for one in finished if one.params.prompt_logprobs]
    assert guesses > 100
    assert copied > 100
