"""Scores rows, and chooses those that are kept."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import GENERATED, INPUT
from runtime.apis.scoring.protocol import ERROR, SCORE, ScoreRowsRequest, Scoring
from runtime.apis.synthetic_data_generation.request import GenerateRequest
from runtime.errors import RequestError, StackError, Unavailable
from runtime.providers._earlier.renaming import renamed
from runtime.providers.synthetic_data_generation.builtin.filtering import BY_SCORE, Bounds, kept_by
from runtime.providers.synthetic_data_generation.builtin.sample import Sample

LOGPROB = "logprob"
_SCORED_AT_ONCE = 50


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """samples: those that are kept, with their scores; scores is None where nothing was scored. left_unscored: those
    that could not be scored, where a score decides; first_unscored: why one could not. The others: how many were left
    out, and why.
    """

    samples: list[Sample]
    scores: list[Any] | None
    left_unscored: Sequence[Sample] = ()
    first_unscored: str | None = None
    below_threshold: int = 0
    filtered: int = 0

    @property
    def unscored(self) -> int:
        return len(self.left_unscored)


def needs_logprob(request: GenerateRequest) -> bool:
    """Whether rows are scored by their probability."""
    return request.scoring_function is None and _score_decides(request)


def _score_decides(request: GenerateRequest) -> bool:
    return request.filtering_function in BY_SCORE or request.threshold is not None


class Choosing:
    """For one request. prompt: what was asked for, in words. limit_s: the longest time for scoring."""

    def __init__(self, request: GenerateRequest, scoring: Scoring | None, *, limit_s: float) -> None:
        self._request = request
        self._scoring = scoring
        self._limit_s = limit_s

    async def check(self) -> None:
        """Raises what the function would for any rows: NotFound, RequestError for its params, Unavailable."""
        if self._request.scoring_function is not None:
            await self._said([], "")

    async def check_one(self, sample: Sample, prompt: str) -> None:
        """Raises what `choose` would for rows like this one, before there are many of them."""
        if self._request.scoring_function is not None:
            [said] = await self._said([sample], prompt)
            if _score_decides(self._request):
                _number(said.get(SCORE), self._request)

    async def choose(self, samples: Sequence[Sample], prompt: str, chance: Random) -> Chosen:
        """What the function refuses, or does not score in time, has no score, and counts as such where a number is
        needed and it gives none. Never raises: the samples were made, and `check_one` has refused what never works.
        """
        request = self._request
        scores: list[Any] | None = None
        why: str | None = None
        if request.scoring_function is not None:
            scores, why = await self._scores(samples, prompt)
        elif needs_logprob(request):
            scores = [sample.logprob for sample in samples]
        ranked = [(place, 0.0) for place in range(len(samples))]
        unscored: list[Sample] = []
        below = 0
        if scores is not None and _score_decides(request):
            numbers, no_number = self._those_that_are(scores)
            why = why or no_number
            ranked = [(place, one) for place, one in enumerate(numbers) if one is not None]
            unscored = [samples[place] for place in sorted({*range(len(samples))} - {place for place, _ in ranked})]
            if (least := request.threshold) is not None:
                reaching = [(place, one) for place, one in ranked if one >= least]
                below, ranked = len(ranked) - len(reaching), reaching
        bounds = Bounds(top_k=request.top_k, top_p=request.top_p, chance=chance)
        kept = [ranked[at][0] for at in kept_by(request.filtering_function, [one for _, one in ranked], bounds)]
        return Chosen(
            samples=[samples[place] for place in kept],
            scores=None if scores is None else [scores[place] for place in kept],
            left_unscored=unscored,
            first_unscored=why,
            below_threshold=below,
            filtered=len(ranked) - len(kept),
        )

    def _those_that_are(self, scores: Sequence[Any]) -> tuple[list[float | None], str | None]:
        """The numbers among scores, and what is wrong with the first that should be one."""
        found: list[float | None] = []
        why = None
        for score in scores:
            try:
                found.append(_number(score, self._request))
            except RequestError as error:
                found.append(None)
                why = why or error.message
        return found, why

    async def _scores(self, samples: Sequence[Sample], prompt: str) -> tuple[list[Any], str | None]:
        """The score of each, None where it could not be scored, and why the first of these could not. In parts: what
        has its score keeps it when the function fails, or the time is over.
        """
        said: list[Row] = []
        try:
            async with asyncio.timeout(self._limit_s) as limit:
                for at in range(0, len(samples), _SCORED_AT_ONCE):
                    said += await self._said_of_part(samples[at : at + _SCORED_AT_ONCE], prompt)
            failure = None
        except TimeoutError:
            if not limit.expired():
                raise
            name = self._request.scoring_function
            failure = f"`{name}` scored {len(said)} rows of {len(samples)} within {self._limit_s:g} s"
        except StackError as error:
            failure = error.message
        why = next((str(row.get(ERROR)) for row in said if row.get(SCORE) is None), failure)
        return [row.get(SCORE) for row in said] + [None] * (len(samples) - len(said)), why

    async def _said_of_part(self, samples: Sequence[Sample], prompt: str) -> list[Row]:
        """Where it refuses several, each is tried alone: the others may be good."""
        try:
            return await self._said(samples, prompt)
        except RequestError as error:
            if len(samples) == 1:
                return [{SCORE: None, ERROR: error.message}]
        return [row for sample in samples for row in await self._said_of_part([sample], prompt)]

    async def _said(self, samples: Sequence[Sample], prompt: str) -> list[Row]:
        """What the function says of each. Raises what it raises, Unavailable where that takes too long."""
        if self._scoring is None:
            raise Unavailable(
                "No provider of the API scoring is there", hint="add one, or leave `scoring_function` out"
            )
        assert self._request.scoring_function is not None
        asked = ScoreRowsRequest(
            scoring_fn_id=self._request.scoring_function,
            rows=[{INPUT: prompt, GENERATED: sample.written, **sample.row} for sample in samples],
            params=self._request.scoring_params,
        )
        try:
            async with asyncio.timeout(self._limit_s) as limit:
                scored = await renamed(self._scoring.score_rows(asked), _FIELDS)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable(
                f"`{self._request.scoring_function}` did not score {len(samples)} rows within {self._limit_s:g} s",
                hint="ask for fewer rows",
            ) from None
        return scored.rows


_FIELDS = {"scoring_fn_id": "scoring_function", "params": "scoring_params", "rows": "scoring_function"}
"""Fields of `score_rows`, as they are called here."""


def _number(score: Any, request: GenerateRequest) -> float | None:
    """None for what could not be scored. Raises RequestError for what is no number."""
    if score is None or (isinstance(score, float) and not math.isfinite(score)):
        return None
    if not isinstance(score, int | float):
        wanted = "`threshold`" if request.threshold is not None else f"`{request.filtering_function}`"
        raise RequestError(
            f"`{request.scoring_function}` gives the score `{str(score)[:100]}`, and {wanted} needs numbers",
            hint="name a function whose scores are numbers",
            param="scoring_function",
            code="invalid_value",
        )
    return float(score)
