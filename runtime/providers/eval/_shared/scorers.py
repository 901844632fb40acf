"""Scores answered rows by several functions. A row that cannot be scored is an error, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.access import Caller
from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import GENERATED
from runtime.apis.scoring.params import ScoringParams
from runtime.apis.scoring.protocol import ERROR, SCORE, ScoreRowsRequest, Scoring
from runtime.concurrently import concurrently
from runtime.context import RequestContext
from runtime.errors import RequestError, StackError
from runtime.providers._background.asking import foreseen, patiently
from runtime.providers._background.groups import InGroups
from runtime.providers._background.pacing import Pace
from runtime.providers.eval._shared.kept_rows import Scores
from runtime.providers.eval._shared.questions import question_of, row_to_score
from runtime.sse import Json

Functions = Mapping[str, ScoringParams | None]
"""What each function is told, by its id; None for what it was registered with."""
_FUNCTIONS_AT_ONCE, _GROUPS_AT_ONCE = 4, 2


class Scorer:
    """For one user. most: how many rows a function is given at a time; they are scored again if the process dies
    meanwhile. paces: of the functions, by id, for all evaluations.
    """

    def __init__(
        self,
        scoring: Scoring,
        functions: Functions,
        paces: dict[str, Pace],
        *,
        user: Caller,
        provider_data: Mapping[str, Any],
        most: int,
    ) -> None:
        self._scoring = scoring
        self._functions = functions
        self._paces = paces
        self._user = user
        self._provider_data = provider_data
        self._groups: InGroups[Row, Scores] = InGroups(self._scored, at_once=_GROUPS_AT_ONCE, most=most)

    async def scores(self, row: Row, generation: Json) -> Scores:
        """What each function says of an answered row. row: of the dataset."""
        if generation[GENERATED] is None:
            said = {SCORE: None, ERROR: f"There is no answer: {generation[ERROR]}"}
            return dict.fromkeys(self._functions, said)
        return await self._groups.do(row_to_score(row, question_of(row), generation))

    async def _scored(self, rows: list[Row]) -> list[Scores]:
        async def by(function: str) -> list[Row]:
            return await self._by(function, rows)

        found = await concurrently(by, self._functions, at_once=_FUNCTIONS_AT_ONCE)
        return [dict(zip(self._functions, each, strict=True)) for each in zip(*found, strict=True)]

    async def _by(self, function: str, rows: list[Row]) -> list[Row]:
        """What one function says. Where it refuses several rows, each is tried alone: the others may be good."""
        pace = self._paces.setdefault(function, Pace(_FUNCTIONS_AT_ONCE))
        asked = ScoreRowsRequest(scoring_fn_id=function, rows=rows, params=self._functions[function])

        async def score() -> list[Row]:
            context = RequestContext(user=self._user, provider_data=self._provider_data, in_background=True)
            found = await foreseen(self._scoring.score_rows(asked), context, "rows of an evaluation", function=function)
            return found.rows

        try:
            return await patiently(score, pace)
        except StackError as error:
            if len(rows) == 1 or not isinstance(error, RequestError):
                return [{SCORE: None, ERROR: error.message} for _ in rows]
        return [one for row in rows for one in await self._by(function, [row])]
