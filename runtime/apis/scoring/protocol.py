"""The operations of the API `scoring`."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from pydantic import Field

from runtime.apis._api import inner, route
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request, Response, example
from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import RowsApart
from runtime.apis.scoring.params import ScoringParams
from runtime.errors import Unavailable

MOST_FUNCTIONS = 100
Functions = Annotated[dict[ResourceId, ScoringParams | None], Field(min_length=1, max_length=MOST_FUNCTIONS)]
SCORE, ERROR = "score", "error"
"""What a row's result has: its score, or null and why there is none."""
SCORES = "scores"
"""The column of a saved row with what each function says of it."""


class ScoreRowsRequest(Request):
    """Rows for one function."""

    scoring_fn_id: ResourceId = Field(min_length=1, description="The function, as its provider calls it.")
    rows: list[Row] = Field(description="The rows, with the columns that it reads.")
    params: ScoringParams | None = Field(None, description="What it is told. Default: what it was registered with.")


class ScoredRows(Response):
    """What one function says of some rows."""

    rows: list[Row] = Field(
        description="For each row, in order, its `score` and whatever else there is to say. Where it cannot be scored"
        " the `score` is null, and `error` says why."
    )
    columns: list[str] | None = Field(
        None, description="What the function, told so, reads of each row; null where it does not say."
    )
    apart: list[RowsApart] = Field(
        default_factory=list, description="Rows of which it reads other columns, or that it never scores."
    )


class AggregateRequest(Request):
    """The scores of one function, which may have come in parts."""

    scoring_fn_id: ResourceId = Field(min_length=1, description="The function.")
    params: ScoringParams | None = Field(None, description="What it was told. Default: nothing.")
    scored: list[Row] = Field(description="What it says of each row.")
    rows: list[Row] = Field(description="The rows, of which `weight` is read.")


class Aggregated(Response):
    """What is said of all rows together."""

    results: dict[str, Any] = Field(description="See `ScoringResult.aggregated_results`.")


class ScoreRequest(Request):
    """Rows to score."""

    model_config = example(
        input_rows=[{"generated_answer": "Paris", "expected_answer": "Paris"}],
        scoring_functions={"basic::equality": None},
    )

    input_rows: Annotated[list[Row], AT_ONCE] = Field(
        description="The rows. Most functions read `generated_answer` and `expected_answer`, some `input_query`."
    )
    scoring_functions: Functions = Field(
        description="The functions by their ids, each with what it is told; null for what it was registered with."
    )


class ScoringResult(Response):
    """What one function says."""

    score_rows: list[Row] = Field(
        description="For each row, in order, its `score` and whatever else there is to say. Where it could not be"
        " scored, the `score` is null and `error` says why: it counts as an error, never as 0."
    )
    aggregated_results: dict[str, Any] = Field(
        description="What is said of all rows together, by the name of each aggregation, with a 95 % interval of each"
        " mean (`confidence_interval`); `errors`: how many rows could not be scored, where there are any."
    )


class ScoreResponse(Response):
    """What each function says."""

    results: dict[str, ScoringResult] = Field(description="By the function's id.")


class ScoreBatchRequest(Request):
    """A dataset to score."""

    model_config = example(
        dataset_id="capitals-answered", scoring_functions={"basic::equality": None}, save_results_dataset=False
    )

    dataset_id: ResourceId = Field(min_length=1, description="The dataset, or `ID@DIGEST` for one of its versions.")
    scoring_functions: Functions = Field(
        description="The functions by their ids, each with what it is told; null for what it was registered with."
    )
    save_results_dataset: bool = Field(
        False,
        description="Whether the rows become a dataset of their own, with what each function says of them in the column"
        " `scores`, which no row may have. It is with the provider of the scored one, else with the first that takes"
        " rows. The default is false.",
    )


class ScoreBatchResponse(Response):
    """What each function says of a dataset."""

    dataset_id: str = Field(description="The dataset that was scored.")
    results_dataset_id: str | None = Field(
        None, description="The dataset that has the rows with their scores, where that was asked for."
    )
    results: dict[str, ScoringResult] = Field(description="By the function's id.")


class Scoring(Protocol):
    """Providers implement `score_rows`; the router has everything else."""

    @inner(key="scoring_fn_id")
    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        """Score rows by one function.

        Raises RequestError for rows without a column that it reads, which names those that they have, and for wrong
        params; NotFound for a model that is not served. A row that cannot be scored is an error of its own. Without
        any rows, only the params are looked at.
        """
        ...

    @inner(key="scoring_fn_id")
    async def aggregate(self, request: AggregateRequest) -> Aggregated:
        """Say something of all rows together. Raises RequestError for an aggregation that cannot be made."""
        ...

    @route("POST", "/v1/scoring/score", is_bulk=True, raises=(Unavailable,))
    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """Score rows by several functions. 404 with close matches for an unknown one."""
        ...

    @route("POST", "/v1/scoring/score-batch", raises=(Unavailable,))
    async def score_batch(self, request: ScoreBatchRequest) -> ScoreBatchResponse:
        """Score a dataset by several functions. 404 with close matches for an unknown one."""
        ...
