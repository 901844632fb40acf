"""A run of a benchmark: a job, which goes on after a restart without asking anything twice."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from runtime.apis._names import ResourceId
from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import Request, Response, example
from runtime.apis.eval.candidates import BenchmarkConfig

JobStatus = Literal["completed", "in_progress", "failed", "scheduled", "cancelled"]


class RunEvalRequest(Request):
    """A benchmark to run."""

    model_config = example(
        benchmark_id="capitals",
        benchmark_config={"eval_candidate": {"type": "model", "model": "llama", "sampling_params": {}}},
    )

    benchmark_id: ResourceId = Field(min_length=1, description="The benchmark.")
    benchmark_config: BenchmarkConfig = Field(description="What is evaluated, and how.")


class JobRequest(Request):
    """Which run of which benchmark."""

    benchmark_id: ResourceId = Field(min_length=1, description="The benchmark.")
    job_id: str = Field(min_length=1, max_length=256, description="The run.")


class ListJobsRequest(PageRequest):
    """Which runs of a benchmark."""

    benchmark_id: ResourceId = Field(min_length=1, description="The benchmark.")


class JobProgress(Response):
    """How far a run is."""

    rows: int | None = Field(None, description="How many rows it has; null until they are counted.")
    done: int = Field(0, description="How many of them are answered and scored.")
    failed: int = Field(0, description="How many of those have no answer: the candidate failed.")


class Job(Response):
    """A run of a benchmark."""

    job_id: str = Field(description="Its id.")
    status: JobStatus = Field(description="What has become of it.")
    benchmark_id: str | None = Field(None, description="The benchmark.")
    dataset_id: str | None = Field(None, description="The dataset that its rows are of.")
    dataset_version: str | None = Field(
        None, description="The digest of the version that its rows are of; null where its provider has none."
    )
    scoring_functions: list[str] = Field(default_factory=list, description="The functions that score its answers.")
    benchmark_config: dict[str, Any] | None = Field(None, description="What is evaluated, and how.")
    progress: JobProgress | None = Field(None, description="How far it is, where its provider says so.")
    error: str | None = Field(None, description="Why it failed.")
    created_at: int | None = Field(None, description="When it was asked for, in seconds since 1970.")
    ended_at: int | None = Field(None, description="When it ended, in seconds since 1970; null while it has not.")
    waiting_since: int | None = Field(None, description="Since when none of its rows is asked; null where they are.")
    waiting_for: str | None = Field(None, description="Why none is asked now, such as a cluster without workers.")


class JobPage(Page):
    """Some runs of a benchmark."""

    data: list[Job] = Field(description="The runs.")
