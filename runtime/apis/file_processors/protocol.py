"""The operations of the API `file_processors`."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._api import route
from runtime.apis._carriers import Upload
from runtime.apis._chunks import AutoChunking, Chunk, StaticChunking, text_of
from runtime.apis._names import ResourceId
from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import Request, Response
from runtime.errors import RateLimited, Unavailable
from runtime.sse import Reply

MAX_FORM_BYTES = 256 * 1024 * 1024


class ProcessFileRequest(Request):
    """A file to process: sent along, or stored before. Exactly one of `file` and `file_id`."""

    file: Upload | None = Field(None, description="The file itself. By default, a stored one is processed.")
    file_id: str | None = Field(None, description="The id of a stored file. By default, the file is sent along.")
    options: dict[str, Any] | None = Field(
        None,
        description="What to read: `page_range` (`[1, 3]` or `1-3,7`), `extract_metadata`, `clean_text`; a remote"
        " provider's own options too. By default, as in the provider's config.",
    )
    chunking_strategy: AutoChunking | StaticChunking | None = Field(
        None, discriminator="type", description="How to cut the text. By default, it is one chunk."
    )

    @model_validator(mode="after")
    def _has_one_file(self) -> ProcessFileRequest:
        if (self.file is None) == (self.file_id is None):
            raise PydanticCustomError("one_file", "exactly one of `file` and `file_id` must be given")
        return self


class ProcessFileResponse(Response):
    """The chunks of a file."""

    chunks: list[Chunk] = Field(description="In the order of the document; at least one.")
    metadata: dict[str, Any] = Field(
        description="What is known of the file and the run: `processor`, `extraction_method`, `processing_time_ms`,"
        " `file_size_bytes`, `page_count`, title and author."
    )

    @classmethod
    def of(cls, answer: ProcessFileResponse | Reply) -> ProcessFileResponse:
        """What `process_file` answered."""
        return cls.model_validate_json(answer.data) if isinstance(answer, Reply) else answer

    def text(self) -> str:
        """What the document says, which is one chunk where no chunking strategy was asked for."""
        return "\n\n".join(text_of(chunk.content) for chunk in self.chunks)


ProcessFileJobStatus = Literal["scheduled", "in_progress", "completed", "failed", "cancelled"]


class ProcessFileJob(Response):
    """A file that is processed in the background."""

    job_id: str = Field(description="By which it is asked for.")
    status: ProcessFileJobStatus = Field(
        description="`scheduled` and `in_progress` change; one that is being cancelled is `in_progress` until it ends."
    )
    created_at: int = Field(description="When it was created, in seconds since 1970.")
    result: ProcessFileResponse | None = Field(
        None,
        description="The chunks of a completed job, for as long as the provider's `job_ttl_s`; null in lists.",
    )
    error: str | None = Field(None, description="Why it failed; null unless it did.")


class ListProcessFileJobsRequest(PageRequest):
    """Which jobs."""

    limit: int = Field(100, ge=1, le=100, description="The most items of a page. The default is 100.")


class ProcessFileJobList(Page):
    """One page of the caller's jobs, without their results."""

    data: list[ProcessFileJob] = Field(description="The jobs, in the order that was asked for.")


class ProcessFileJobRequest(Request):
    """Which job."""

    job_id: ResourceId = Field(min_length=1, description="The job's id.")


class FileProcessors(Protocol):
    @route(
        "POST",
        "/v1alpha/file-processors/process",
        body="form",
        limit_bytes=MAX_FORM_BYTES,
        returns=ProcessFileResponse,
        deprecated=True,
        raises=(RateLimited, Unavailable),
    )
    async def process_file(self, request: ProcessFileRequest) -> ProcessFileResponse | Reply:
        """Read a file and cut it into chunks while the caller waits; `/v1alpha/file-processors/jobs` takes its place.

        A document that cannot be read is a 400 with the reason and one of the codes `invalid_document`,
        `encrypted_document`, `unsupported_document`, `document_over_limit` and `document_without_text`.
        """
        ...

    @route(
        "POST",
        "/v1alpha/file-processors/jobs",
        body="form",
        limit_bytes=MAX_FORM_BYTES,
        raises=(Unavailable,),
    )
    async def create_job(self, request: ProcessFileRequest) -> ProcessFileJob:
        """Do the same in the background; the job and its file are on disk when this answers."""
        ...

    @route("GET", "/v1alpha/file-processors/jobs", raises=(Unavailable,))
    async def list_jobs(self, request: ListProcessFileJobsRequest) -> ProcessFileJobList:
        """The caller's jobs, the newest first."""
        ...

    @route("GET", "/v1alpha/file-processors/jobs/{job_id}", returns=ProcessFileJob, raises=(Unavailable,))
    async def get_job(self, request: ProcessFileJobRequest) -> ProcessFileJob | Reply:
        """A job, with its result once it has completed. 404 for an unknown one."""
        ...

    @route("POST", "/v1alpha/file-processors/jobs/{job_id}/cancel", raises=(Unavailable,))
    async def cancel_job(self, request: ProcessFileJobRequest) -> ProcessFileJob:
        """End a job that has not ended."""
        ...
