"""What a scoring function is told, beyond the rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._names import ResourceId
from runtime.apis._request import Request

AggregationFunction = Literal["average", "weighted_average", "median", "categorical_count", "accuracy"]
MOST_REGEXES, LONGEST_REGEX = 100, 10_000
Regexes = Annotated[list[Annotated[str, Field(max_length=LONGEST_REGEX)]], Field(max_length=MOST_REGEXES)]


class _Aggregated(Request):
    aggregation_functions: Annotated[list[AggregationFunction], Field(max_length=10)] = Field(
        default_factory=list,
        description="What is told of all rows together: `accuracy` and `average` (the share of 1.0, and the mean),"
        " `weighted_average` (by the `weight` that the function says, else the column of that name), `median`,"
        " `categorical_count`. Default: those of the function.",
    )


class BasicParams(_Aggregated):
    """Of a function that compares."""

    type: Literal["basic"] = Field("basic", description="Always `basic`, which is the default.")
    options: dict[str, Any] | None = Field(
        None, description="What the function takes beyond that, as it documents it. Default: nothing."
    )


class RegexParserParams(_Aggregated):
    """Of a function that finds the answer in what was generated."""

    type: Literal["regex_parser"] = Field("regex_parser", description="Always `regex_parser`, which is the default.")
    parsing_regexes: Regexes = Field(
        default_factory=list,
        description="Where the answer is: the first group of the first expression that is found. Default: those of the"
        " function.",
    )


class LLMAsJudgeParams(_Aggregated):
    """Of a function that asks a model."""

    type: Literal["llm_as_judge"] = Field("llm_as_judge", description="Always `llm_as_judge`, which is the default.")
    judge_model: ResourceId = Field(min_length=1, description="The model that judges.")
    prompt_template: str | None = Field(
        None,
        max_length=100_000,
        description="What it is asked, with `{input_query}`, `{generated_answer}`, `{expected_answer}` and the names of"
        " other columns. Default: that of the function.",
    )
    judge_score_regexes: Regexes = Field(
        default_factory=list,
        description="Where the score is in what it says: the first group of the first expression that is found."
        " Default: it answers in JSON, which its schema holds it to.",
    )
    score_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="The worst and the best score that it may give. Default: those of the function."
    )


ScoringParams = Annotated[BasicParams | RegexParserParams | LLMAsJudgeParams, Field(discriminator="type")]
