"""Asks again and again until there are enough rows that differ, or until that has to end.

In turns of several questions at once. What a turn has made is taken in the order of its questions, so that the same
answers come to the same rows.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random

from msgspec import structs

from runtime.apis.datasets.protocol import Row
from runtime.apis.inference.protocol import Inference
from runtime.apis.synthetic_data_generation.answer import End
from runtime.concurrently import concurrently
from runtime.context import current, serving
from runtime.errors import StackError, Unavailable
from runtime.providers._background.pacing import Pace
from runtime.providers.synthetic_data_generation.builtin.asking import Question, ask, is_refused
from runtime.providers.synthetic_data_generation.builtin.distinct import Distinct
from runtime.providers.synthetic_data_generation.builtin.prompting import messages_for
from runtime.providers.synthetic_data_generation.builtin.sample import Answered, Sample, Wrong
from runtime.sse import Json

_SHOWN_BEFORE = 5
"""How many rows that were made up are shown, from which the next has to differ."""

_LAST_S = 30.0
"""How long what was answered in the last turn may be compared when the time is over."""

_MOST_FAILURES = 5
"""In a row, turns with answers left out: whoever fails so often is not asked on."""


class Making:
    """The rows of one request. dialog: what the caller says; seeds: rows to be like, of which `num_examples` are shown;
    pace: of the model's provider.

    samples: those that differ. asked, duplicates: how many; wrong: how many of each flaw; failures: how many questions
    were not answered. ended: why it did.
    """

    def __init__(
        self, inference: Inference, question: Question, dialog: Sequence[Json], *, distinct: Distinct, pace: Pace,
        at_once: int, seeds: Sequence[Row], num_examples: int, seed: int,
    ) -> None:  # fmt: skip
        self._inference = inference
        self._question = question
        self._dialog = dialog
        self._distinct = distinct
        self._pace = pace
        self._at_once = at_once
        self._seeds = seeds
        self._num_examples = min(num_examples, len(seeds))
        self._seed = seed
        self._chance = Random(seed)  # noqa: S311  # not a secret
        self.samples: list[Sample] = []
        self.asked = self.duplicates = self.failures = self.unfinished = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.wrong: Counter[str] = Counter()
        self.first_wrong: str | None = None
        self.first_failure: StackError | None = None
        self.ended: End = "enough"
        self._answered: dict[int, Answered] = {}

    async def until(
        self, wanted: int, *, most_asks: int, limit_s: float, check: Callable[[Sample], Awaitable[object]]
    ) -> None:
        """wanted: how many rows. check: called with the first one.

        Raises what `check` raises, StackError where the question is refused, or nothing but failures came; Unavailable
        where nothing came in time.
        """
        try:
            async with asyncio.timeout(limit_s) as limit:
                self.ended = await self._turns(wanted, most_asks, check)
        except TimeoutError:
            if not limit.expired():
                raise
            self.ended = "time"
            await self._take_last()
        if self.asked == self.failures + self.unfinished:
            raise self.first_failure or Unavailable(
                f"The model answered nothing within {limit_s:g} s", hint="ask again later"
            )

    async def _turns(self, wanted: int, most_asks: int, check: Callable[[Sample], Awaitable[object]]) -> End:
        failed_in_a_row, is_checked = 0, False
        while len(self.samples) < wanted:
            room = min(self._at_once, wanted - len(self.samples), most_asks - self.asked)
            if room == 0:
                return "attempts"
            try:
                answers = await self._turn(room)
            except StackError as error:  # of what compares rows: those that are there are not lost
                if not self.samples:
                    raise
                self.first_failure = self.first_failure or error
                return "failures"
            failures = [one.outcome for one in answers if isinstance(one.outcome, StackError)]
            if not self.samples and (refused := next(filter(is_refused, failures), None)):
                raise refused
            if self.samples and not is_checked:
                await check(self.samples[0])
                is_checked = True
            failed_in_a_row = failed_in_a_row + room if len(failures) == room else 0
            if failed_in_a_row >= _MOST_FAILURES:
                return "failures"
        return "enough"

    async def _turn(self, room: int) -> list[Answered]:
        schema = self._question.schema.schema if self._question.schema else None
        unlike = [sample.row for sample in self.samples[: -_SHOWN_BEFORE - 1 : -1]]
        questions = []
        for number in range(self.asked, self.asked + room):
            like = self._chance.sample(self._seeds, self._num_examples)
            questions.append((messages_for(self._dialog, schema, like, unlike), self._seed + number))
        self.asked += room
        self.unfinished = room
        answered: dict[int, Answered] = {}

        async def answer(place: int) -> None:
            answered[place] = await ask(self._inference, self._pace, self._question, *questions[place])

        self._answered = answered
        with serving(structs.replace(current(), in_background=True)):  # others wait for a single answer: they go first
            await concurrently(answer, range(room), at_once=self._at_once)
        return await self._take()

    async def _take_last(self) -> None:
        """Take what was answered in a turn that came to no end."""
        with suppress(TimeoutError, StackError):
            async with asyncio.timeout(_LAST_S):
                await self._take()

    async def _take(self) -> list[Answered]:
        """The answers of a turn, in the order of its questions. Raises what comparing them raises."""
        answers = [self._answered[place] for place in sorted(self._answered)]
        self._answered = {}
        made = [one.outcome for one in answers if isinstance(one.outcome, Sample)]
        taken = await self._distinct.take(made)
        self.samples += taken
        self.duplicates += len(made) - len(taken)
        for one in answers:
            self._count(one)
        self.unfinished -= len(answers)
        return answers

    def _count(self, answered: Answered) -> None:
        self.prompt_tokens += answered.prompt_tokens
        self.completion_tokens += answered.completion_tokens
        if isinstance(answered.outcome, Wrong):
            self.wrong[answered.outcome.flaw] += 1
            self.first_wrong = self.first_wrong or answered.outcome.words
        elif isinstance(answered.outcome, StackError):
            self.failures += 1
            self.first_failure = self.first_failure or answered.outcome
