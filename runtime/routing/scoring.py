"""Makes scores of rows and of datasets of the one operation that providers of `scoring` have: `score_rows`. What can
be known to go wrong is refused before any function is asked, which may be a model that takes its time and its price.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import apart_from, check_columns
from runtime.apis.scoring.protocol import (
    Aggregated,
    AggregateRequest,
    Functions,
    ScoreBatchRequest,
    ScoreBatchResponse,
    ScoredRows,
    ScoreRequest,
    ScoreResponse,
    ScoreRowsRequest,
    ScoringResult,
)
from runtime.concurrently import concurrently
from runtime.errors import StackError, Unavailable
from runtime.routing.aggregating import aggregated, check_aggregations
from runtime.routing.forward import Router, Routing
from runtime.routing.scored_datasets import ScoredDatasets, check_unscored
from runtime.routing.scoring_functions import RETURNS
from runtime.routing.scoring_params import told

_FUNCTION = "scoring_fn_id"
_AT_ONCE = 4
"""How many functions look at rows at a time."""
_FIELDS = {_FUNCTION: "scoring_functions", "rows": "input_rows", "params": "scoring_functions"}
"""Fields of `score_rows`, as a request for scores calls them."""


class ScoringRouter(Router):
    """The routed functions."""

    def __init__(self, routing: Routing) -> None:
        super().__init__(routing)
        self._datasets = ScoredDatasets(routing.find_api)

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        """Raises as a provider does, NotFound for the function, Unavailable for a provider that leaves rows out."""
        function = await self._owned(request.scoring_fn_id, _FUNCTION)
        params = told(request.params, function)
        score = self._method_of(function, "score_rows", request.scoring_fn_id)
        found: ScoredRows = await score(request.changed(params=params).routed_by(function, _FUNCTION))
        if len(found.rows) != len(request.rows):
            raise Unavailable(f"`{request.scoring_fn_id}` has scored {len(found.rows)} rows of {len(request.rows)}")
        return found

    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """Raises as `score_rows` does, RequestError for an aggregation that cannot be made."""
        await self._check(request.scoring_functions)
        return ScoreResponse(results=await self._results(request.input_rows, request.scoring_functions))

    async def score_batch(self, request: ScoreBatchRequest) -> ScoreBatchResponse:
        """Raises as `score` does, NotFound for the dataset, TooLarge for one of too many rows, and what saving its
        scores does.
        """
        name = request.dataset_id
        await self._check(request.scoring_functions)
        place = await self._datasets.place_for(name) if request.save_results_dataset else None
        rows = await self._datasets.rows_of(name)
        if place is not None:
            check_unscored(name, rows)
        results = await self._results(rows, request.scoring_functions)
        saved = None if place is None else await self._datasets.save(name, rows, results, provider_id=place)
        return ScoreBatchResponse(dataset_id=name, results_dataset_id=saved, results=results)

    async def aggregate(self, request: AggregateRequest) -> Aggregated:
        """Raises RequestError for an aggregation that cannot be made, NotFound for the function."""
        params = told(request.params, await self._owned(request.scoring_fn_id, _FUNCTION))
        names = params.aggregation_functions if params else []
        return Aggregated(results=await asyncio.to_thread(aggregated, request.scored, request.rows, names))

    async def _check(self, functions: Functions) -> None:
        """Raises NotFound for a function, RequestError for an aggregation that cannot be made of its scores."""
        for name, given in functions.items():
            with _by_the_fields_of_the_request():
                function = await self._owned(name, _FUNCTION)
                params = told(given, function)
                check_aggregations(params.aggregation_functions if params else (), name, function.facts.get(RETURNS))

    async def _results(self, rows: list[Row], functions: Functions) -> dict[str, ScoringResult]:
        async def checked(function: str) -> None:
            asked = ScoreRowsRequest(scoring_fn_id=function, rows=[], params=functions[function])
            with _by_the_fields_of_the_request():
                reads = await self.score_rows(asked)
                await asyncio.to_thread(_check_columns, rows, reads)

        async def result(function: str) -> ScoringResult:
            about = {"scoring_fn_id": function, "params": functions[function]}
            with _by_the_fields_of_the_request():
                scored = (await self.score_rows(ScoreRowsRequest(**about, rows=rows))).rows
                together = await self.aggregate(AggregateRequest(**about, scored=scored, rows=rows))
            return ScoringResult(score_rows=scored, aggregated_results=together.results)

        if len(functions) > 1:  # one alone looks at its params and rows itself before it asks anything
            await concurrently(checked, functions, at_once=_AT_ONCE)
        results = await concurrently(result, functions, at_once=_AT_ONCE)
        return dict(zip(functions, results, strict=True))


@contextmanager
def _by_the_fields_of_the_request() -> Iterator[None]:
    """Around what raises errors with the fields of `score_rows`."""
    try:
        yield
    except StackError as error:
        raise error.saying(error.message, param=_FIELDS.get(error.param or "", error.param)) from None


def _check_columns(rows: list[Row], reads: ScoredRows) -> None:
    """reads: what a function says of no rows. Raises RequestError for a row without a column that it reads."""
    for number, row in enumerate(rows, start=1):
        apart = apart_from(row, reads.apart)
        check_columns(row, number, apart.columns if apart else reads.columns or ())


ROUTER = ScoringRouter
