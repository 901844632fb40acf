"""The operations of the API `eval`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import route
from runtime.apis.eval.job import Job, JobPage, JobRequest, ListJobsRequest, RunEvalRequest
from runtime.apis.eval.results import (
    CompareJobsRequest,
    Comparison,
    EvaluatedRows,
    EvaluateResponse,
    EvaluateRowsRequest,
    JobRowsRequest,
)
from runtime.errors import Conflict, NotSupported, Unavailable

_AT, _OLDER_AT = "/v1alpha/eval/benchmarks/{benchmark_id}", "/v1/eval/benchmarks/{benchmark_id}"
_JOB, _OLDER_JOB = f"{_AT}/jobs/{{job_id}}", f"{_OLDER_AT}/jobs/{{job_id}}"
_KEY = "benchmark_id"


class Eval(Protocol):
    """A caller's own runs and those of users with whom the caller shares a group; any other is a 404."""

    @route(
        "POST",
        f"{_AT}/evaluations",
        aliases=(f"{_OLDER_AT}/evaluations",),
        key=_KEY,
        is_bulk=True,
        raises=(NotSupported, Unavailable),
    )
    async def evaluate_rows(self, request: EvaluateRowsRequest) -> EvaluateResponse:
        """Ask a candidate some rows, and score what it answers. 404 with close matches for an unknown benchmark."""
        ...

    @route("POST", f"{_AT}/jobs", aliases=(f"{_OLDER_AT}/jobs",), key=_KEY, raises=(NotSupported, Unavailable))
    async def run_eval(self, request: RunEvalRequest) -> Job:
        """Run a benchmark in the background; it goes on after a restart, and asks nothing twice.

        404 with close matches for an unknown benchmark, dataset, function or model, 400 for columns that are missing.
        """
        ...

    @route("GET", f"{_AT}/jobs", key=_KEY, raises=(NotSupported, Unavailable))
    async def list_jobs(self, request: ListJobsRequest) -> JobPage:
        """The runs of a benchmark, the newest first."""
        ...

    @route("GET", _JOB, aliases=(_OLDER_JOB,), key=_KEY, raises=(Unavailable,))
    async def job_status(self, request: JobRequest) -> Job:
        """How far a run is. 404 for an unknown one."""
        ...

    @route("DELETE", _JOB, aliases=(_OLDER_JOB,), key=_KEY, status=204, raises=(Conflict, Unavailable))
    async def job_cancel(self, request: JobRequest) -> None:
        """Give a run up, and keep what it has by then. 404 for an unknown one, 409 for one that has ended."""
        ...

    @route(
        "GET",
        f"{_JOB}/result",
        aliases=(f"{_OLDER_JOB}/result",),
        key=_KEY,
        raises=(Conflict, NotSupported, Unavailable),
    )
    async def job_result(self, request: JobRequest) -> EvaluateResponse:
        """What came of a run. 409 while it has not ended, 413 for more than one answer may hold: read its rows then."""
        ...

    @route("GET", f"{_JOB}/rows", key=_KEY, raises=(NotSupported, Unavailable))
    async def job_rows(self, request: JobRowsRequest) -> EvaluatedRows:
        """Read rows of a run with answers and scores, a page at a time, also while it runs."""
        ...

    @route("GET", f"{_JOB}/compare", key=_KEY, raises=(Conflict, NotSupported, Unavailable))
    async def compare_jobs(self, request: CompareJobsRequest) -> Comparison:
        """Say whether a run is better or worse than another one, and how sure that is. 409 while one has not ended."""
        ...
