"""NeMo Evaluator's jobs, and what its words for them mean here.

    POST /v1/evaluation/jobs  {"namespace", "target": {"type": "model", "model": NAME}, "config": "NAMESPACE/NAME"}
    GET  /v1/evaluation/jobs/ID
    POST /v1/evaluation/jobs/ID/cancel
    GET  /v1/evaluation/jobs/ID/results   {"job", "tasks": {...}, "groups": {...}}

https://docs.nvidia.com/nemo/microservices/latest/evaluate/evaluation-jobs (read November 2026)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runtime.apis.eval.job import JobProgress, JobStatus
from runtime.errors import NotFound, UpstreamError, UpstreamRejected
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing, json_request
from runtime.sse import Json

_STATUSES: dict[str, JobStatus] = {
    "created": "scheduled",
    "pending": "scheduled",
    "running": "in_progress",
    "cancelling": "in_progress",
    "ready": "in_progress",
    "unknown": "in_progress",
    "cancelled": "cancelled",
    "failed": "failed",
    "completed": "completed",
}


@dataclass(frozen=True, kw_only=True)
class JobState:
    """How a job is. error: why it failed. is_known: whether the evaluator has it; it may be another one for a while."""

    status: JobStatus
    is_known: bool = True
    progress: JobProgress | None = None
    error: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.is_known and self.status in ("cancelled", "failed", "completed")


class Jobs:
    """url: of the evaluator. Each method raises what `HttpClient` raises."""

    def __init__(self, http: HttpClient, url: str, *, provider_id: str) -> None:
        self._http = http
        self._at = f"{url}/v1/evaluation/jobs"
        self._provider_id = provider_id

    async def begin(self, body: Json) -> tuple[str, JobState]:
        """Begin a job. Returns its id, and how it is. Raises NotFound where the evaluator has no such config,
        UpstreamError for an answer that is no job.
        """
        try:
            answer = await self._http.value(json_request(self._at, body))
        except UpstreamRejected as error:
            if error.upstream_status != 404:
                raise
            raise NotFound(
                f"`{self._provider_id}` has no config `{body['config']}`",
                hint="register the benchmark with it, or make the config there",
                param="benchmark_id",
            ) from error
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str) or not answer["id"]:
            raise UpstreamError(f"`{self._provider_id}` began a job without an id", provider_id=self._provider_id)
        return answer["id"], self._state(answer)

    async def state(self, job_id: str) -> JobState:
        """How a job is; failed where the evaluator does not have it."""
        try:
            return self._state(await self._http.value(Outgoing(method="GET", url=self._url(job_id))))
        except UpstreamRejected as error:
            if error.upstream_status != 404:
                raise
            return JobState(status="failed", is_known=False, error=f"`{self._provider_id}` does not have this job")

    async def cancel(self, job_id: str) -> JobState:
        """Ask the evaluator to give a job up. How it is then."""
        request = Outgoing(method="POST", url=f"{self._url(job_id)}/cancel")
        return self._state(await self._http.value(request))

    async def results(self, job_id: str) -> Json:
        """What came of a job: its `tasks` and `groups`, with their metrics. Raises NotFound where there is nothing,
        UpstreamError for an answer that is none.
        """
        try:
            answer = await self._http.value(Outgoing(method="GET", url=f"{self._url(job_id)}/results"))
        except UpstreamRejected as error:
            if error.upstream_status != 404:
                raise
            raise NotFound(f"`{self._provider_id}` has no results of the run `{job_id}`", param="job_id") from error
        if not isinstance(answer, dict):
            raise UpstreamError(f"`{self._provider_id}` answered results that are none", provider_id=self._provider_id)
        return {name: answer[name] for name in ("tasks", "groups", "files_url") if answer.get(name)}

    def _url(self, job_id: str) -> str:
        return f"{self._at}/{quote(job_id, safe='')}"

    def _state(self, answer: Any) -> JobState:
        word = answer.get("status") if isinstance(answer, dict) else None
        status = _STATUSES.get(word.lower()) if isinstance(word, str) else None
        if status is None:
            raise UpstreamError(f"`{self._provider_id}` answered a job without a status", provider_id=self._provider_id)
        details = answer.get("status_details")
        details = details if isinstance(details, dict) else {}
        done, message = details.get("samples_processed"), details.get("message")
        error = None
        if status == "failed":
            error = message if isinstance(message, str) and message else "the evaluator does not say why"
        return JobState(
            status=status, progress=JobProgress(done=done) if isinstance(done, int) and done >= 0 else None, error=error
        )
