"""Batches as OpenAI's clients create and read them: https://platform.openai.com/docs/api-reference/batch/object."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._metadata import OpenAIMetadata
from runtime.apis._names import ResourceId
from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import Request, Response, example
from runtime.apis.files.file import ExpiresAfter

BatchEndpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/moderations"]
BatchStatus = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]


class CreateBatchRequest(Request):
    """A file of requests, one a line: `{"custom_id": ..., "method": "POST", "url": ..., "body": {...}}`."""

    model_config = example(input_file_id="file-abc123", endpoint="/v1/chat/completions", completion_window="24h")

    input_file_id: ResourceId = Field(
        min_length=1,
        description="The file, uploaded with the purpose `batch`: at most 50000 lines, 200 MiB, and 64 MiB in a line.",
    )
    endpoint: BatchEndpoint = Field(description="The path that each of its lines asks; another `url` is a 400.")
    completion_window: Literal["24h"] = Field(description="How long it may take; always `24h`.")
    metadata: OpenAIMetadata | None = Field(
        None, description="Texts that are kept with it, at most 16. The default is none."
    )
    output_expires_after: ExpiresAfter | None = Field(
        None, description="When its output and error files expire. The default is that of files for batches: 30 days."
    )
    idempotency_key: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Makes creating repeatable: the same request with the same key is answered with the same batch, "
        "another one with 409. By default each request makes a new batch.",
    )


class ListBatchesRequest(PageRequest):
    """Which batches."""


class BatchRequest(Request):
    """Which batch."""

    batch_id: ResourceId = Field(min_length=1, description="The batch's id.")


class BatchError(Response):
    """What is wrong with a line of the input file, or with the batch."""

    code: str = Field(description="A stable word for programs, such as `invalid_json_line`.")
    message: str = Field(description="What is wrong.")
    param: str | None = Field(None, description="The member of the line that is wrong, null for the line itself.")
    line: int | None = Field(None, description="The number of the line, from 1; null if it is no line's.")


class BatchErrors(Response):
    """What is wrong with a batch."""

    object: Literal["list"] = "list"
    data: list[BatchError] = Field(
        description="The first 100. The error file has every line that could not be answered."
    )


class BatchRequestCounts(Response):
    """How far a batch is."""

    total: int = Field(description="How many requests it has.")
    completed: int = Field(description="How many were answered.")
    failed: int = Field(description="How many failed, those with malformed lines included.")


class InputTokensDetails(Response):
    """Which input tokens."""

    cached_tokens: int = Field(description="Those that were computed before.")


class OutputTokensDetails(Response):
    """Which output tokens."""

    reasoning_tokens: int = Field(description="Those of reasoning.")


class BatchUsage(Response):
    """The tokens of all answers together."""

    input_tokens: int = Field(description="What was read.")
    input_tokens_details: InputTokensDetails = Field(description="Which of them were cached.")
    output_tokens: int = Field(description="What was written.")
    output_tokens_details: OutputTokensDetails = Field(description="Which of them were of reasoning.")
    total_tokens: int = Field(description="Both.")


class Batch(Response):
    """Many requests that are answered in the background. All times are in seconds since 1970, null until then."""

    id: str = Field(description="By which it is asked for.")
    object: Literal["batch"] = "batch"
    endpoint: str = Field(description="The path that its requests ask.")
    model: str | None = Field(None, description="The model of its requests; null where they name several.")
    errors: BatchErrors | None = Field(
        None, description="Malformed lines, which leave the others unharmed, or why it failed; null for none."
    )
    input_file_id: str = Field(description="The file with its requests.")
    completion_window: str = Field(description="How long it may take.")
    status: BatchStatus = Field(
        description="`validating` until it begins, `in_progress`, `finalizing` while its files are written, and then "
        "`completed`; `cancelling` and `cancelled` if it was given up, `expired` if it took too long. It is `failed` "
        "where its input cannot be read or its files cannot be written."
    )
    output_file_id: str | None = Field(
        None, description="The file with the answers, in the order of the input; null while, or if, there is none."
    )
    error_file_id: str | None = Field(
        None, description="The file with what has no answer, in the order of the input; null as above."
    )
    created_at: int = Field(description="When it was created.")
    in_progress_at: int | None = Field(None, description="When its first request was asked.")
    expires_at: int | None = Field(None, description="When it is given up if it has not ended.")
    finalizing_at: int | None = Field(None, description="When its last request had ended.")
    completed_at: int | None = Field(None, description="When it was completed.")
    failed_at: int | None = Field(None, description="When it failed.")
    expired_at: int | None = Field(None, description="When it had expired.")
    cancelling_at: int | None = Field(None, description="When cancelling it was asked for.")
    cancelled_at: int | None = Field(None, description="When it was cancelled.")
    request_counts: BatchRequestCounts = Field(description="How far it is.")
    usage: BatchUsage = Field(description="The tokens of the answers that there are.")
    metadata: dict[str, str] | None = Field(None, description="What its creator said.")
    waiting_since: int | None = Field(
        None, description="Since when none of its requests is asked; null where they are."
    )
    waiting_for: str | None = Field(None, description="Why none is asked now, such as a cluster without workers.")


class BatchList(Page):
    """One page of the batches that the caller may see."""

    data: list[Batch] = Field(description="The batches, in the order that was asked for.")
