"""Earlier priorities first: in the line, among prompts that are read, and for the places of others. No model."""

from __future__ import annotations

from runtime.engine.scheduling.scheduler import IDLE_PRIORITY
from tests.support.scheduling import NEXT, scheduler, sequence, step


def test_an_earlier_priority_comes_first_wherever_there_is_a_line() -> None:
    it = scheduler(tokens=8)
    it.add(sequence(1, 30, priority=5))
    assert step(it) == [(1, 8, False)]
    it.add(sequence(2, 4, priority=5))
    it.add(sequence(3, 40))
    assert step(it) == [(3, 8, False)]  # long, but earlier
    assert [waiting.id for waiting in it.waiting] == [2]


def test_it_takes_the_row_of_the_last_one_of_a_later_priority() -> None:
    it = scheduler(batch=3, tokens=20)
    for number, priority in ((1, 1), (2, 2), (3, 2)):
        it.add(sequence(number, 6, priority=priority))
    step(it)
    it.add(sequence(4, 5, max_length=6))
    assert step(it) == [(1, 1, True), (2, 1, True), (4, 5, True)]
    assert [waiting.id for waiting in it.waiting] == [3]
    assert step(it) == [(1, 1, True), (2, 1, True), (3, 1, True)]  # what it computed is still there
    assert it.preemptions == 1


def test_equals_wait_for_each_other() -> None:
    it = scheduler(batch=1)
    it.add(sequence(1, 4, priority=1, max_length=6))
    step(it)
    it.add(sequence(2, 4, priority=1))
    assert step(it) == [(1, 1, True)]
    assert it.preemptions == 0


def test_pages_are_taken_from_later_priorities_too_but_not_in_vain() -> None:
    it = scheduler(pages=10, tokens=40)
    for number, length, priority in ((1, 8, 0), (2, 8, 1), (3, 12, 1)):
        it.add(sequence(number, length, priority=priority))
    step(it)
    step(it)
    assert ([one.id for one in it.running], it.blocks.free) == ([1, 2, 3], 0)
    it.add(sequence(4, 32))  # does not fit beside the first, whoever leaves
    step(it)
    assert it.preemptions == 0
    it.remove(4)
    it.add(sequence(5, 12))
    step(it)
    assert [one.id for one in it.running] == [1, 2, 5]


def test_the_last_of_the_latest_priority_gives_way_where_pages_run_out() -> None:
    it = scheduler(pages=6, tokens=40)
    for number, priority in ((1, 1), (2, 0), (3, 0)):
        it.add(sequence(number, 8, priority=priority))
    step(it)
    assert it.blocks.free == 0
    step(it)
    assert [waiting.id for waiting in it.waiting] == [1]


def test_nobody_is_displaced_for_one_that_waits_for_a_page_being_computed() -> None:
    it = scheduler(batch=2, tokens=8)
    it.add(sequence(1, 4, priority=1))
    step(it)
    it.add(sequence(2, range(20)))
    step(it)
    it.add(sequence(3, range(20)))
    step(it)
    assert {one.id for one in it.running} == {1, 2}


def test_nobody_waits_for_a_page_that_comes_later_than_itself() -> None:
    it = scheduler(tokens=8)
    it.add(sequence(1, range(30), priority=1))
    assert step(it) == [(1, 8, False)]
    it.add(sequence(2, range(30)))
    assert step(it) == [(2, 8, False)]  # from where the other is
    it.add(sequence(3, range(30)))
    assert [step(it) for _ in range(3)] == [
        [(2, 8, False)],
        [(2, 6, True), (1, 2, False)],  # here the third does wait, for the second
        [(2, 1, True), (3, 1, True), (1, 6, False)],
    ]


def test_a_step_without_memory_is_made_smaller_until_one_token_is_left() -> None:
    it = scheduler(batch=3)
    it.add(sequence(1, 6, priority=0))
    it.add(sequence(2, 6, priority=1))
    it.add(sequence(3, 4, priority=0))
    chunks = it.schedule()
    assert [(chunk.sequence.id, chunk.count) for chunk in chunks] == [(1, 6), (3, 4), (2, 6)]
    assert it.relieve(chunks)
    chunks = it.schedule()
    assert {chunk.sequence.id for chunk in chunks} == {1, 3}  # the later priority has gone, and is not taken at once
    assert it.relieve(chunks)
    for count in (6, 3, 1):
        [chunk] = chunks = it.schedule()
        assert (chunk.sequence.id, chunk.count) == (1, count)
        assert it.relieve(chunks) is (count > 1)
    it.remove(1)  # its memory is free again
    assert [(chunk.sequence.id, chunk.count) for chunk in it.schedule()] == [(3, 4), (2, 6)]


def test_a_step_without_memory_is_tried_again_without_its_guesses() -> None:
    it = scheduler(guessed=6)
    it.add(sequence(1, [NEXT] * 9))
    step(it)
    [chunk] = chunks = it.schedule()
    assert (chunk.count, len(chunk.guess)) == (1, 2)
    assert it.relieve(chunks)
    [chunk] = chunks = it.schedule()
    assert (chunk.count, len(chunk.guess)) == (1, 0)
    assert not it.relieve(chunks)


def test_what_nobody_waits_for_is_computed_while_there_is_nothing_else() -> None:
    """And goes on where it was: it keeps its pages meanwhile."""
    it = scheduler(tokens=8)
    it.add(sequence(1, 4, priority=IDLE_PRIORITY))
    it.add(sequence(2, 12, priority=IDLE_PRIORITY + 1))
    assert step(it) == [(1, 4, True), (2, 4, False)]
    it.add(sequence(3, 4, max_length=6))
    it.add(sequence(4, 4, priority=IDLE_PRIORITY))
    assert step(it) == [(3, 4, True)]
    assert step(it) == [(3, 1, True)]
    assert step(it) == [(1, 1, True), (4, 4, True), (2, 3, False)]
    assert it.preemptions == 0


def test_it_gives_up_its_row_and_pages_to_who_waits() -> None:
    it = scheduler(batch=2, pages=4, tokens=16)
    for number in (1, 2):
        it.add(sequence(number, 6, priority=IDLE_PRIORITY))
    step(it)
    it.add(sequence(3, 6, max_length=7))
    assert step(it) == [(3, 6, True)]
    assert it.preemptions == 1


def test_one_that_is_removed_lets_the_others_go_on() -> None:
    it = scheduler()
    it.add(sequence(1, 4, priority=IDLE_PRIORITY))
    it.add(sequence(2, 4))
    assert step(it) == [(2, 4, True)]
    it.remove(2)
    assert step(it) == [(1, 4, True)]


def test_its_prompts_are_read_in_short_steps_so_that_who_comes_waits_for_a_short_one() -> None:
    it = scheduler(tokens=16, chunk=4)
    it.add(sequence(1, 12, priority=IDLE_PRIORITY))
    assert step(it) == [(1, 4, False)]
    it.add(sequence(2, 12))
    assert step(it) == [(2, 12, True)]


def test_those_that_nobody_waits_for_take_no_guesses_from_the_others() -> None:
    it = scheduler(guessed=6)
    for number in (1, 2, 3):
        it.add(sequence(number, 4, priority=IDLE_PRIORITY))
    step(it)
    it.add(sequence(4, [NEXT] * 9))
    for _ in range(5):
        step(it)
    [chunk] = it.schedule()
    assert (chunk.sequence.id, len(chunk.guess)) == (4, 6)
