"""Makes scores of rows and of datasets of the one operation that providers of `scoring` have: `score_rows`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from runtime.apis._request import Registered
from runtime.apis.datasetio.protocol import IterRowsRequest
from runtime.apis.datasets.protocol import Dataset, RegisterDatasetRequest, Row, RowsDataSource
from runtime.apis.scoring.params import ScoringParams
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
from runtime.errors import StackError, TooLarge, Unavailable
from runtime.routing.aggregating import aggregated
from runtime.routing.forward import Router, Routing

_FUNCTION = "scoring_fn_id"
_AT_ONCE = 4
"""How many functions look at rows at a time."""
_PAGE_ROWS, MOST_ROWS = 1000, 100_000
_FIELDS = {_FUNCTION: "scoring_functions", "rows": "input_rows", "params": "scoring_functions"}
"""Fields of `score_rows`, as a request for scores calls them."""
_params: TypeAdapter[Any] = TypeAdapter(ScoringParams)


class ScoringRouter(Router):
    """The routed functions."""

    def __init__(self, routing: Routing) -> None:
        super().__init__(routing)
        self._find_api = routing.find_api

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        """Raises as a provider does, NotFound for the function, Unavailable for a provider that leaves rows out."""
        function = await self._owned(request.scoring_fn_id, _FUNCTION)
        params = _with_usual(request.params, function)
        score = self._method_of(function, "score_rows", request.scoring_fn_id)
        found: ScoredRows = await score(request.changed(params=params).routed_by(function, _FUNCTION))
        if len(found.rows) != len(request.rows):
            raise Unavailable(f"`{request.scoring_fn_id}` has scored {len(found.rows)} rows of {len(request.rows)}")
        return found

    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """Raises as `score_rows` does, RequestError for an aggregation that cannot be made."""
        return ScoreResponse(results=await self._results(request.input_rows, request.scoring_functions))

    async def score_batch(self, request: ScoreBatchRequest) -> ScoreBatchResponse:
        """Raises as `score` does, NotFound for the dataset, TooLarge for one of too many rows."""
        for function in request.scoring_functions:  # before the rows are read
            await self._owned(function, _FUNCTION)
        rows = [row async for row in self._rows_of(request.dataset_id)]
        results = await self._results(rows, request.scoring_functions)
        saved = await self._save(request.dataset_id, rows, results) if request.save_results_dataset else None
        return ScoreBatchResponse(dataset_id=request.dataset_id, results_dataset_id=saved, results=results)

    async def aggregate(self, request: AggregateRequest) -> Aggregated:
        """Raises RequestError for an aggregation that cannot be made, NotFound for the function."""
        params = _with_usual(request.params, await self._owned(request.scoring_fn_id, _FUNCTION))
        names = params.aggregation_functions if params else []
        return Aggregated(results=await asyncio.to_thread(aggregated, request.scored, request.rows, names))

    async def _results(self, rows: list[Row], functions: Functions) -> dict[str, ScoringResult]:
        async def result(function: str) -> ScoringResult:
            asked = ScoreRowsRequest(scoring_fn_id=function, rows=rows, params=functions[function])
            try:
                scored = (await self.score_rows(asked)).rows
                told = {"scoring_fn_id": function, "params": functions[function]}
                together = await self.aggregate(AggregateRequest(**told, scored=scored, rows=rows))
            except StackError as error:
                raise error.saying(error.message, param=_FIELDS.get(error.param or "", error.param)) from None
            return ScoringResult(score_rows=scored, aggregated_results=together.results)

        results = await concurrently(result, functions, at_once=_AT_ONCE)
        return dict(zip(functions, results, strict=True))

    async def _rows_of(self, dataset_id: str) -> AsyncIterator[Row]:
        datasets = self._find_api("datasetio")
        if datasets is None:
            raise Unavailable("The API datasetio is not mounted, so no dataset can be scored")
        read, version = 0, None
        while True:
            asked = IterRowsRequest(dataset_id=dataset_id, start_index=read, limit=_PAGE_ROWS, version=version)
            page = (await datasets.iterrows(asked)).value()
            version = page["version"]  # the rows that follow are of the same, whatever is appended meanwhile
            for row in page["data"]:
                yield row
            read += len(page["data"])
            if not page["has_more"]:
                return
            if read >= MOST_ROWS:
                raise TooLarge(
                    f"The dataset `{dataset_id}` has more than {MOST_ROWS} rows, which are too many for one answer",
                    hint="make it a benchmark: its job keeps the scores, and they are read page by page",
                )

    async def _save(self, dataset_id: str, rows: list[Row], results: Mapping[str, ScoringResult]) -> str:
        """The id of a new dataset with the rows, each with what every function says of it."""
        scored = [
            {**row, "scores": {name: result.score_rows[at] for name, result in results.items()}}
            for at, row in enumerate(rows)
        ]
        asked = RegisterDatasetRequest(
            purpose="eval/question-answer", source=RowsDataSource(rows=scored), metadata={"scores_of": dataset_id}
        )
        saved: Dataset = await self._find_api("datasets").register_dataset(asked)
        return saved.identifier


def _with_usual(given: ScoringParams | None, function: Registered) -> ScoringParams | None:
    """What a function is told: what it was registered with, but for what is given."""
    usual = function.facts.get("params")
    if usual is None or (given is not None and given.type != usual["type"]):
        return given
    said = {name: getattr(given, name) for name in given.model_fields_set} if given else {}
    params: ScoringParams = _params.validate_python({**usual, **said})
    return params


ROUTER = ScoringRouter
