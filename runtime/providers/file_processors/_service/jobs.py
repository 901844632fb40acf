"""Documents that are processed later, by jobs (`runtime/storage/jobs`), which go on after a restart.

A document that was sent along is kept beside its job until it was read, and so is the result, which is too large for a
list of jobs. A job acts as its owner; it has no keys that its request brought, since none are kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from runtime.apis._carriers import Upload
from runtime.apis.file_processors.protocol import (
    ListProcessFileJobsRequest,
    ProcessFileJob,
    ProcessFileJobList,
    ProcessFileJobStatus,
    ProcessFileRequest,
)
from runtime.context import current
from runtime.errors import NotFound, NotSupported, RequestError
from runtime.ids import new_position, ordered_id
from runtime.provider import ProviderContext
from runtime.providers.file_processors._service.config import ProcessorConfig
from runtime.providers.file_processors._service.parts import Parts
from runtime.sse import Reply, encode
from runtime.storage.jobs import Job, JobState, RunningJob

Process = Callable[[ProcessFileRequest], Awaitable[Reply]]
STORE = "file_processing"
_STATUSES: dict[JobState, ProcessFileJobStatus] = {
    "queued": "scheduled",
    "running": "in_progress",
    "cancelling": "in_progress",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
_KEPT = {"file_id", "options", "chunking_strategy"}
_OVER_LIMIT_BYTES = 1 << 62
"""For results, whose size the limits of documents bound."""


class ProcessingJobs:
    """process: what is done with a request, now or later. Each method raises Unavailable if the store is down."""

    def __init__(self, config: ProcessorConfig, context: ProviderContext, process: Process) -> None:
        self._process = process
        self._limit_bytes = config.max_file_size_bytes
        self._parts = Parts(context.storage.kv(STORE), ttl_s=config.job_ttl_s)
        self._queue = context.jobs.handle(f"process_file:{context.provider_id}", self._run, concurrency=config.workers)

    async def create(
        self, request: ProcessFileRequest, *, check: Callable[[ProcessFileRequest], object]
    ) -> ProcessFileJob:
        """A new job; it and its document are on disk when this returns. check: raises for a request that would fail,
        called when all of it has arrived. Raises TooLarge for a file beyond the limit.
        """
        user = current().user
        job_id = ordered_id("job_", new_position())
        payload: dict[str, Any] = {}
        if (upload := request.file) is not None:
            count = await self._parts.keep(_document(job_id), upload, limit_bytes=self._limit_bytes)
            payload = {"parts": count, "filename": upload.filename, "content_type": upload.content_type}
        try:
            check(request)
            asked = request.model_dump(mode="json", include=_KEPT, exclude_none=True)
            return _shown(await self._queue.add(payload | {"request": asked}, user=user, job_id=job_id))
        except BaseException:
            await self._forget_document(job_id, payload)
            raise

    async def get(self, job_id: str) -> Reply:
        """A job with its result. Raises NotFound."""
        job = await self._queue.get(job_id, user=current().user)
        shown = _shown(job).model_dump(mode="json")
        if job.state == "completed":
            try:
                result = b"".join([part async for part in self._parts.read(_result(job_id), job.result["parts"])])
            except NotFound:
                result = b"null"
            shown["result"] = msgspec.Raw(result)
        return Reply(encode(shown))

    async def page(self, request: ListProcessFileJobsRequest) -> ProcessFileJobList:
        """Jobs without their results. Raises RequestError for a cursor that is no id."""
        jobs, has_more = await self._queue.page(request, user=current().user)
        shown = [_shown(job) for job in jobs]
        first, last = (shown[0].job_id, shown[-1].job_id) if shown else (None, None)
        return ProcessFileJobList(data=shown, first_id=first, last_id=last, has_more=has_more)

    async def cancel(self, job_id: str) -> ProcessFileJob:
        """A job that is to end. One that has ended stays as it is. Raises NotFound."""
        job = await self._queue.cancel(job_id, user=current().user)
        if job.state in ("cancelling", "cancelled"):
            await self._forget_document(job_id, job.payload)
        return _shown(job)

    async def _run(self, running: RunningJob) -> object:
        """Process a document. Its result is kept before the document is removed, so that any step can be repeated."""
        payload = running.payload
        done = running.checkpoint
        if done is None:
            upload = self._upload(running.id, payload) if "parts" in payload else None
            request = ProcessFileRequest.model_validate({**payload["request"], "file": upload})
            try:
                response = await self._process(request)
            except (RequestError, NotSupported):  # for good
                await self._forget_document(running.id, payload)
                raise
            count = await self._parts.keep(_result(running.id), _once(response.data), limit_bytes=_OVER_LIMIT_BYTES)
            done = {"parts": count}
            await running.progress(done)
        await self._forget_document(running.id, payload)
        return done

    def _upload(self, job_id: str, payload: dict[str, Any]) -> Upload:
        chunks = self._parts.read(_document(job_id), payload["parts"])
        return Upload(chunks, filename=payload["filename"], content_type=payload["content_type"])

    async def _forget_document(self, job_id: str, payload: dict[str, Any]) -> None:
        await self._parts.remove(_document(job_id), payload.get("parts", 0))


def _shown(job: Job) -> ProcessFileJob:
    return ProcessFileJob(
        job_id=job.id,
        status=_STATUSES[job.state],
        created_at=int(job.created_at),
        error=job.error.get("message") if job.state == "failed" and job.error else None,
    )


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _document(job_id: str) -> str:
    return f"document:{job_id}"


def _result(job_id: str) -> str:
    return f"result:{job_id}"
