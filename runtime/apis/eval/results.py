"""What came of evaluations: answers with their scores, and one run beside another."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._request import AT_ONCE, Request, Response, example
from runtime.apis.benchmarks.protocol import ScoringFunctionIds
from runtime.apis.datasets.protocol import Row
from runtime.apis.eval.candidates import BenchmarkConfig
from runtime.apis.eval.job import JobRequest
from runtime.apis.scoring.protocol import ScoringResult


class EvaluateRowsRequest(Request):
    """Rows to evaluate at once."""

    model_config = example(
        benchmark_id="capitals",
        input_rows=[{"question": "What is the capital of France?", "answer": "Paris"}],
        scoring_functions=["basic::equality"],
        benchmark_config={"eval_candidate": {"type": "model", "model": "llama", "sampling_params": {}}},
    )

    benchmark_id: str = Field(min_length=1, max_length=512, description="The benchmark.")
    input_rows: Annotated[list[Row], AT_ONCE] = Field(
        min_length=1,
        max_length=1000,
        description="The rows, each with what is asked: `messages`, `question`, `input_query`, `completion_input` or"
        " `chat_completion_input`; and what should be answered: `answer` or `expected_answer`.",
    )
    scoring_functions: ScoringFunctionIds = Field(description="The functions that score each answer, by their ids.")
    benchmark_config: BenchmarkConfig = Field(description="What is evaluated, and how.")


class EvaluateResponse(Response):
    """Answers and scores."""

    generations: list[Row] = Field(
        description="For each row its `generated_answer`, a text or the calls of functions, each with `name` and"
        " `arguments`; or null, with an `error` that says why there is none."
    )
    scores: dict[str, ScoringResult] = Field(description="What each function says, by its id.")


class JobRowsRequest(JobRequest):
    """Which rows of a run."""

    start_index: int = Field(0, ge=0, le=2**62, description="How many are left out first. The default is 0.")
    limit: int = Field(100, ge=1, le=1000, description="The most rows of a page. The default is 100.")
    only: Literal["all", "errors"] = Field(
        "all", description="`errors`: only rows that could not be answered, or not be scored. The default is `all`."
    )


class EvaluatedRow(Response):
    """One row of a run."""

    index: int = Field(description="Its place in the dataset, from 0.")
    row: Row = Field(description="What it is in the dataset.")
    generation: Row = Field(description="What was answered; see `EvaluateResponse.generations`.")
    scores: dict[str, Row] = Field(description="What each function says of it, by the function's id.")


class EvaluatedRows(Response):
    """Some rows of a run, in the order of the dataset."""

    data: list[EvaluatedRow] = Field(description="The rows.")
    has_more: bool = Field(description="Whether more follow.")


class CompareJobsRequest(JobRequest):
    """Which run is compared with which."""

    baseline: str = Field(min_length=1, max_length=256, description="The run to compare with, of the same benchmark.")


class Difference(Response):
    """How one function sees a run beside the other, over the rows that both have scored."""

    baseline: float = Field(description="The mean score of the baseline.")
    mean: float = Field(description="The mean score of the run.")
    difference: float = Field(description="How much more the run has.")
    confidence_interval: list[float] = Field(
        description="Between which two numbers the difference is, with 95 %: the paired bootstrap."
    )
    p_value: float = Field(description="How likely a difference is at least as large as this one, if there were none.")
    test: Literal["mcnemar", "paired_bootstrap"] = Field(
        description="Which test says so: McNemar's exact one where scores are 0 and 1, else the paired bootstrap."
    )
    num_rows: int = Field(description="How many rows both have scored.")
    better: list[int] = Field(description="The places of rows that have more now; the first 1000.")
    worse: list[int] = Field(description="The places of rows that have less now; the first 1000.")


class Comparison(Response):
    """Two runs of a benchmark, side by side."""

    job_id: str = Field(description="The run.")
    baseline: str = Field(description="What it is compared with.")
    same_rows: bool = Field(
        description="Whether both have the same version of the dataset; where not, rows are the same that are equal."
    )
    functions: dict[str, Difference] = Field(
        description="By the ids of the functions that have given both of them numbers."
    )
    summary: dict[str, Any] = Field(default_factory=dict, description="What else there is to say.")
