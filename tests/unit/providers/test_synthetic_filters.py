"""Which made-up rows are kept: every filter by scores worked out by hand, and how alike texts are."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from runtime.apis.scoring.protocol import ScoredRows, ScoreRowsRequest
from runtime.apis.synthetic_data_generation.request import Diversity, FilteringFunction, GenerateRequest
from runtime.errors import RequestError, Unavailable
from runtime.providers._background.pacing import Pace
from runtime.providers.synthetic_data_generation.builtin.choosing import Choosing
from runtime.providers.synthetic_data_generation.builtin.distinct import Distinct
from runtime.providers.synthetic_data_generation.builtin.filtering import Bounds, kept_by
from runtime.providers.synthetic_data_generation.builtin.pieces import most_similarity, plain, similarity, sketch_of
from runtime.providers.synthetic_data_generation.builtin.sample import Sample, sample_of

SCORES = [0.0, 2.0, 1.0, 2.0, -5.0]


def kept(filtering: FilteringFunction, scores: Sequence[float] = SCORES, **bounds: Any) -> list[int]:
    known = {"top_k": None, "top_p": 0.9, "chance": Random(7), **bounds}
    return kept_by(filtering, scores, Bounds(**known))


def test_none_keeps_all_and_random_a_half_by_its_seed() -> None:
    assert kept("none") == [0, 1, 2, 3, 4]
    halves = {tuple(kept("random", chance=Random(seed))) for seed in range(50)}
    assert {len(half) for half in halves} == {3} and len(halves) > 5
    assert kept("random", chance=Random(3)) == kept("random", chance=Random(3))


def test_top_k_keeps_the_best_in_order_the_earlier_of_equal_ones() -> None:
    assert kept("top_k", top_k=1) == [1]
    assert kept("top_k", top_k=3) == [1, 2, 3]
    assert kept("top_k", top_k=9) == [0, 1, 2, 3, 4]
    assert kept("top_k") == [1, 2, 3], "half of five, rounded up"


@pytest.mark.parametrize(
    ("share", "expected"), [(0.01, [1]), (0.39, [1]), (0.4, [1, 3]), (0.79, [1, 3]), (0.81, [1, 2, 3]), (1, range(5))]
)
def test_top_p_keeps_the_fewest_whose_share_is_enough(share: float, expected: Sequence[int]) -> None:
    # the softmax: 0.0540, 0.3993, 0.1469, 0.3993, 0.0004
    assert kept("top_p", top_p=share) == list(expected)


def test_top_k_top_p_is_the_share_of_the_best() -> None:
    # of the three best alone: 0.4223, 0.4223, 0.1554
    assert kept("top_k_top_p", top_k=3, top_p=0.84) == [1, 3]
    assert kept("top_k_top_p", top_k=3, top_p=0.85) == [1, 2, 3]
    assert kept("top_k_top_p", top_k=2, top_p=1) == [1, 3]


def test_sigmoid_keeps_each_as_often_as_its_probability() -> None:
    chance = Random(1)
    counts = [0] * 3
    for _ in range(2000):
        for place in kept("sigmoid", [0.0, 2.0, -1.0], chance=chance):
            counts[place] += 1
    for count, score in zip(counts, [0.0, 2.0, -1.0], strict=True):
        assert count / 2000 == pytest.approx(1 / (1 + math.exp(-score)), abs=0.04)
    assert kept("sigmoid", [1e9, -1e9]) == [0], "scores of any size"


@pytest.mark.parametrize("filtering", ["none", "random", "top_k", "top_p", "top_k_top_p", "sigmoid"])
def test_of_no_row_none_is_kept(filtering: FilteringFunction) -> None:
    assert kept(filtering, []) == []


class Lengths:
    """A scoring function: how long the answer is. An answer of `?` cannot be scored, one of `!` has a word as score."""

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        answers = [row["generated_answer"] for row in request.rows]
        scores = {"?": None, "!": "long"}
        return ScoredRows(rows=[{"score": scores.get(answer, len(answer))} for answer in answers])


def in_words(*texts: str, logprob: float | None = None) -> list[Sample]:
    return [Sample(row={"response": text}, written=text, told=text, logprob=logprob) for text in texts]


def choosing(scoring: Any = None, **fields: Any) -> Choosing:
    return Choosing(GenerateRequest(**fields), scoring or Lengths(), limit_s=10)


async def test_rows_are_scored_then_held_to_the_threshold_then_filtered() -> None:
    wanted = choosing(scoring_function="f", threshold=2, filtering_function="top_k", top_k=1)
    chosen = await wanted.choose(in_words("a", "?", "abcd", "abc"), "", Random(1))
    assert ([one.written for one in chosen.samples], chosen.scores) == (["abcd"], [4])
    assert (chosen.unscored, chosen.below_threshold, chosen.filtered) == (1, 1, 1)


async def test_where_no_score_decides_a_row_without_one_stays() -> None:
    chosen = await choosing(scoring_function="f").choose(in_words("?", "!"), "", Random(1))
    assert chosen.scores == [None, "long"] and chosen.unscored == 0


@pytest.mark.parametrize("decides", [{"threshold": 0}, {"filtering_function": "sigmoid"}])
async def test_a_score_that_decides_has_to_be_a_number(decides: dict[str, Any]) -> None:
    wanted = choosing(scoring_function="f", **decides)
    with pytest.raises(RequestError, match="`f` gives the score `long`") as caught:
        await wanted.check_one(*in_words("!"), "")
    assert caught.value.param == "scoring_function"
    chosen = await wanted.choose([*in_words("a" * 40), *in_words("!")], "", Random(1))
    assert [one.written for one in chosen.left_unscored] == ["!"] and len(chosen.samples) == 1, "others were made"
    assert "`f` gives the score `long`" in (chosen.first_unscored or "")


class Slow(Lengths):
    """It scores so many rows, and then comes to no end, or fails."""

    def __init__(self, most: int, failure: Exception | None = None) -> None:
        self._left = most
        self._failure = failure

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        self._left -= len(request.rows)
        if self._left < 0:
            if self._failure is not None:
                raise self._failure
            await asyncio.Event().wait()
        return await super().score_rows(request)


@pytest.mark.parametrize("failure", [None, Unavailable("the judge is away")])
async def test_what_is_scored_keeps_its_score_when_the_rest_is_not(failure: Exception | None) -> None:
    samples = in_words(*("a" * (number + 1) for number in range(120)))
    asked = GenerateRequest(scoring_function="f", threshold=0)
    chosen = await Choosing(asked, Slow(110, failure), limit_s=0.1).choose(samples, "", Random(1))  # type: ignore[arg-type]
    assert chosen.samples == samples[:100] and chosen.scores == [*range(1, 101)]
    assert chosen.left_unscored == samples[100:]
    why = "the judge is away" if failure else "`f` scored 100 rows of 120 within 0.1 s"
    assert chosen.first_unscored == why


async def test_without_a_function_the_probability_of_a_row_is_its_score() -> None:
    samples = [*in_words("a", logprob=-2.0), *in_words("b", logprob=-1.0)]
    chosen = await choosing(filtering_function="top_k", top_k=1).choose(samples, "", Random(1))
    assert chosen.scores == [-1.0]
    assert (await choosing().choose(samples, "", Random(1))).scores is None, "nobody wants scores"


async def test_a_function_without_a_provider_of_scoring_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="API scoring"):
        await Choosing(GenerateRequest(scoring_function="f"), None, limit_s=1).check()


def of_pieces(one: str, other: str) -> float:
    pieces = [{text[at : at + 3] for at in range(len(text) - 2)} for text in (one, other)]
    return len(pieces[0] & pieces[1]) / len(pieces[0] | pieces[1])


def test_short_texts_are_compared_exactly() -> None:
    one, other = "what is the capital of france?", "what is the capital of spain?"
    assert similarity(sketch_of(one), sketch_of(other)) == of_pieces(one, other)
    assert of_pieces(one, other) <= most_similarity(sketch_of(one), sketch_of(other)) < 1
    assert similarity(sketch_of("a"), sketch_of("a")) == 1
    assert similarity(sketch_of(""), sketch_of("")) == 1
    assert similarity(sketch_of("ab"), sketch_of("abc")) == 0


@pytest.mark.parametrize("changed", [0, 10, 40, 100])
def test_long_texts_are_compared_by_a_sketch(changed: int) -> None:
    chance = Random(changed)
    one = "".join(chance.choice("abcdefghijklmnopqrst") for _ in range(6000))
    other = one[: len(one) * (100 - changed) // 100] + "".join(chance.choice("uvwxyz") for _ in range(60 * changed))
    assert len(sketch_of(one)) == 256
    found = similarity(sketch_of(one), sketch_of(other))
    assert found == pytest.approx(of_pieces(one, other), abs=0.1)
    assert found <= most_similarity(sketch_of(one), sketch_of(other))


def rows(*names: str) -> list[Sample]:
    return [sample_of({"name": name}) for name in names]


async def told(distinct: Distinct, samples: list[Sample]) -> list[Any]:
    return [one.row["name"] for one in await distinct.take(samples)]


async def test_the_first_of_copies_and_near_copies_is_kept_and_seeds_are_there_before() -> None:
    distinct = Distinct(Diversity(), None, Pace(1))  # type: ignore[arg-type]  # no vectors are asked for
    await distinct.take(rows("an old house by the sea", "an old house by the sea!"), are_seeds=True)
    given = rows("An  OLD house by the sea", "an old house by the seas", "a dog", "A dog", "a cat")
    assert await told(distinct, given) == ["a dog", "a cat"]
    assert await told(distinct, rows("a cat", "a bird")) == ["a bird"]


@pytest.mark.parametrize(("most", "expected"), [(1, 3), (0, 1)])
async def test_how_alike_rows_may_be_is_up_to_the_caller(most: float, expected: int) -> None:
    distinct = Distinct(Diversity(max_similarity=most), None, Pace(1))  # type: ignore[arg-type]
    given = rows("an old house by the sea", "an old house by the seas", "the sea", "the sea")
    assert len(await distinct.take(given)) == expected


def test_case_and_space_make_no_difference() -> None:
    assert plain(" Straße\n A\tb ") == "strasse a b"
