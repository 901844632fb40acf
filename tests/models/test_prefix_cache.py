"""Prompts that begin like others: what is found computed, what waits for whom, and what is kept apart. No model."""

from __future__ import annotations

from array import array
from hashlib import blake2b

from runtime.engine.requests.messages import PromptLogprob
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.scheduling.prefix_keys import extend_keys
from tests.support.scheduling import NEXT, advance, scheduler, sequence, step


def keys_of(tokens: list[int], salt: str = "") -> list[bytes]:
    keys: list[bytes] = []
    extend_keys(keys, tokens, 4, salt)
    return keys


def test_a_key_is_of_a_full_page_and_all_before_it() -> None:
    tokens = list(range(11))
    first, second = keys_of(tokens)
    assert keys_of(tokens[:4]) == [first]
    assert keys_of([*tokens[4:8], *tokens[4:8]])[1] not in (first, second)
    assert keys_of([0, 1, 2, 3, 4, 5, 6, 70])[0] == first
    assert not set(keys_of(tokens, "mine")) & {first, second}
    grown = keys_of(tokens[:6])
    extend_keys(grown, tokens, 4)
    assert grown == [first, second]


def test_keys_tell_large_ids_apart() -> None:
    """Not only the lowest byte of each."""
    assert len({keys_of([7, 7, 7, 7 + far])[0] for far in (0, 256, 65536, 2**24, 2**31)}) == 5


def test_a_salt_cannot_stand_for_the_beginning_of_a_prompt() -> None:
    """The hash of this salt is text, and so another salt could be spelt that goes on where its first page ends."""
    known = blake2b(b"18597", digest_size=16).digest() + array("q", [0, 1, 2, 3]).tobytes()
    spelt = known.decode("utf-8", "surrogatepass")
    assert not set(keys_of([4, 5, 6, 7], spelt)) & set(keys_of([*range(8)], "18597"))


def test_a_prompt_that_begins_like_an_earlier_one_computes_only_the_rest() -> None:
    it = scheduler()
    it.add(sequence(1, range(10), max_length=14))
    while it.has_work:
        step(it)
    again, more = sequence(2, range(10)), sequence(3, [*range(10), NEXT, NEXT, 5, 6])
    it.add(again)
    assert step(it) == [(2, 1, True)]  # but for the last token, which is sampled after
    it.add(more)
    assert step(it) == [(2, 1, True), (3, 2, True)]  # the answer is found too
    assert (again.cached_tokens, more.cached_tokens, it.cached_tokens) == (9, 12, 21)
    assert again.pages[:2] == more.pages[:2]


def test_a_prompt_of_full_pages_has_a_token_left_to_compute() -> None:
    it = scheduler()
    it.add(sequence(1, range(8), max_length=9))
    step(it)
    it.add(sequence(2, range(8)))
    assert step(it) == [(2, 1, True)]


def test_prompts_that_part_within_a_page_share_its_beginning() -> None:
    """By quarters of a page, which is copied: both go on writing."""
    it = scheduler(page_size=8)
    first, second = sequence(1, range(12)), sequence(2, [*range(8), 8, 9, 10, 50])
    it.add(first)
    step(it)
    it.add(second)
    [going, starting] = it.schedule()
    assert (starting.count, second.cached_tokens) == (2, 10)
    assert starting.copies == (first.pages[1], second.pages[1])
    assert first.pages[1] != second.pages[1]
    for chunk in (going, starting):
        advance(it, chunk)
    assert second.source is None
    it.remove(1)
    it.remove(2)
    assert it.blocks.used == 0


def test_a_page_without_an_end_is_kept_and_found() -> None:
    it = scheduler(page_size=8, tokens=32)
    it.add(sequence(1, 5, max_length=6))
    step(it)
    assert (it.blocks.used, it.blocks.kept) == (0, 1)
    it.add(sequence(2, [*range(100, 105), 7]))
    assert step(it) == [(2, 2, True)]


def test_a_page_is_copied_only_where_there_is_room_for_both() -> None:
    it = scheduler(page_size=8, pages=2)
    it.add(sequence(1, range(6), max_length=7))
    step(it)
    it.add(sequence(2, [*range(6), 50, 51, 52], max_length=12))
    assert step(it) == [(2, 9, True)]


def test_a_step_that_is_tried_again_copies_again() -> None:
    it = scheduler(page_size=8)
    it.add(sequence(1, range(6), max_length=7))
    step(it)
    one = sequence(2, [*range(6), 50, 51, 52])
    it.add(one)
    [chunk] = it.schedule()
    assert (chunk.count, chunk.copies) == (3, (one.source, one.pages[0]))
    assert it.relieve([chunk])
    [smaller] = it.schedule()
    assert (smaller.count, smaller.copies) == (1, chunk.copies)
    it.remove(2)
    assert it.blocks.used == 0


def test_copied_tokens_with_another_salt_are_kept_apart() -> None:
    it = scheduler(page_size=8, tokens=32)
    it.add(sequence(1, range(6), salt="a", max_length=7))
    step(it)
    it.add(sequence(2, range(6), salt="b"))
    assert step(it) == [(2, 6, True)]


def test_answers_to_one_prompt_wait_until_it_is_computed_once() -> None:
    it = scheduler(tokens=8)
    for number in (1, 2, 3):
        it.add(sequence(number, range(18)))
    assert [step(it) for _ in range(4)] == [
        [(1, 8, False)],
        [(1, 8, False)],
        [(1, 2, True), (2, 2, True), (3, 2, True)],
        [(1, 1, True), (2, 1, True), (3, 1, True)],
    ]
    assert it.blocks.used == 4 + 3  # four pages for all, and one for the end of each


def test_others_do_not_wait_for_those_that_wait_for_a_page() -> None:
    it = scheduler(tokens=8)
    it.add(sequence(1, range(18)))
    it.add(sequence(2, range(18)))
    it.add(sequence(3, 20))
    assert [step(it) for _ in range(3)] == [
        [(1, 8, False)],
        [(1, 8, False)],
        [(1, 2, True), (2, 2, True), (3, 4, False)],
    ]


def test_whoever_waited_for_a_page_computes_it_when_the_other_leaves() -> None:
    it = scheduler(tokens=8)
    it.add(sequence(1, range(18)))
    it.add(sequence(2, range(18)))
    assert step(it) == [(1, 8, False)]
    it.remove(1)
    assert step(it) == [(2, 8, False)]  # from where the other had come


def test_prompts_with_another_salt_are_kept_apart() -> None:
    it = scheduler()
    it.add(sequence(1, range(10), salt="a"))
    it.add(sequence(2, range(10), salt="b"))
    assert step(it) == [(1, 10, True), (2, 6, False)]
    it.add(sequence(3, range(10), salt="a"))
    assert step(it) == [(1, 1, True), (2, 4, True), (3, 1, True)]


def test_log_probabilities_of_a_prompt_need_all_of_it_computed_once() -> None:
    it = scheduler()
    it.add(sequence(1, range(10)))
    step(it)
    asking = sequence(2, range(10), params=SamplingParams(prompt_logprobs=True))
    it.add(asking)
    assert step(it) == [(1, 1, True), (2, 10, True)]
    # What is known after a preemption is not asked for again.
    asking.prompt_logprobs += [PromptLogprob(token_id=id, logprob=0.0) for id in range(1, 6)]
    assert asking.reusable == 5
    asking.prompt_logprobs += [PromptLogprob(token_id=id, logprob=0.0) for id in range(6, 10)]
    assert asking.reusable == len(asking.tokens) - 1


def test_what_a_damaged_sequence_computed_is_not_used_again() -> None:
    it = scheduler()
    it.add(sequence(1, range(10)))
    step(it)
    it.remove(1, is_damaged=True)
    it.add(sequence(2, range(10)))
    assert step(it) == [(2, 10, True)]


def test_a_prompt_that_fits_only_beside_the_pages_it_finds_can_start() -> None:
    it = scheduler(pages=4)
    it.add(sequence(1, range(8)))
    step(it)
    it.add(sequence(2, [*range(8), 50, 51]))
    assert step(it) == [(1, 1, True), (2, 2, True)]
