"""What was made up, and what became of everything that was asked for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from runtime.apis._request import Response
from runtime.apis.datasets.protocol import Row

End = Literal["enough", "attempts", "time", "failures"]
Flaw = Literal["cut", "empty", "no_json", "does_not_fit"]


class Statistics(Response):
    """What became of each answer: those that are wrong, failed, unfinished, duplicate, unscored, below the threshold,
    filtered or kept are together as many as were asked for.
    """

    model: str = Field(description="The model that was asked.")
    seed: int = Field(description="The seed of everything that was drawn.")
    row_schema: dict[str, Any] | None = Field(
        description="The schema that the rows fit: the given one, or that of the seed rows. Null for answers in words."
    )
    num_requested: int = Field(description="How many rows were wanted.")
    num_asked: int = Field(description="How often the model was asked.")
    num_wrong: int = Field(description="Answers that are no such row.")
    wrong: dict[Flaw, int] = Field(
        description="How many for each reason: `cut` at `max_tokens` or by a filter, `empty`, `no_json`, `does_not_fit`"
        " the schema."
    )
    first_wrong: str | None = Field(None, description="What was wrong with the first of them.")
    num_failed: int = Field(description="Questions that the model's provider did not answer.")
    first_failure: str | None = Field(None, description="What it said to the first of them.")
    num_unfinished: int = Field(description="Answers that were not there, or not compared with others, when it ended.")
    num_duplicates: int = Field(description="Rows that are copies of earlier ones or of seed rows, or too alike.")
    num_unscored: int = Field(description="Rows left out since they could not be scored, where a score was needed.")
    first_unscored: str | None = Field(None, description="Why the first of those without a score has none.")
    num_below_threshold: int = Field(description="Rows with a lower score than `threshold`.")
    num_filtered: int = Field(description="Rows that the filter left out.")
    num_kept: int = Field(description="Rows that are in `synthetic_data`.")
    scored_by: str | None = Field(
        None, description="The scoring function, or `logprob`: the mean log-probability. Null where nothing was scored."
    )
    scores: list[Any] | None = Field(
        None,
        description="The score of each row of `synthetic_data`, in order; null for one that could not be scored."
        " Null where nothing was scored.",
    )
    prompt_tokens: int = Field(description="Tokens read, as the model's provider counts them.")
    completion_tokens: int = Field(description="Tokens written.")
    ended: End = Field(
        description="Why no more was asked: there was `enough`; `max_attempts`; the `time` that the provider of this"
        " API allows; `failures`, several questions in a row."
    )


class GenerateResponse(Response):
    """What was made up."""

    synthetic_data: list[Row] = Field(
        description="The rows that were kept, in the order in which they were made: objects of the schema, or `prompt`,"
        " `response` and, where it was scored, `score`."
    )
    statistics: Statistics = Field(description="What became of everything that was asked for.")
    unscored_data: list[Row] = Field(
        default_factory=list,
        description="The rows that were left out since they could not be scored: they were made, and are not lost.",
    )
    dataset_id: str | None = Field(
        None, description="The dataset that the rows became, where one was asked for and any row was kept."
    )
    dataset_error: str | None = Field(
        None, description="Why they did not become it, although they should: they are in `synthetic_data` alone."
    )
