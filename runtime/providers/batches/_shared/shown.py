"""A batch as its API shows it."""

from __future__ import annotations

from runtime.apis.batches import batch as api
from runtime.providers._background.waiting import Wait
from runtime.providers.batches._shared.states import OUTCOMES
from runtime.storage.sql import Row


def shown(row: Row, wait: Wait | None = None) -> api.Batch:
    """row: with all columns. wait: what it waits for."""
    wait = wait or Wait()
    request = row["request"]
    ended_at = {f"{one}_at": row["ended_at"] for one in OUTCOMES if row["status"] == one}
    read, written = row["input_tokens"], row["output_tokens"]
    return api.Batch(
        id=row["id"],
        endpoint=request["endpoint"],
        model=row["model"],
        errors=None if row["errors"] is None else api.BatchErrors.model_validate({"data": row["errors"]}),
        input_file_id=request["input_file_id"],
        completion_window=request["completion_window"],
        status=row["status"],
        output_file_id=row["output_file_id"],
        error_file_id=row["error_file_id"],
        created_at=row["created"],
        in_progress_at=row["in_progress_at"],
        expires_at=row["expires"],
        finalizing_at=row["finalizing_at"],
        cancelling_at=row["cancelling_at"],
        **ended_at,
        request_counts=api.BatchRequestCounts(total=row["total"], completed=row["completed"], failed=row["failed"]),
        usage=api.BatchUsage(
            input_tokens=read,
            input_tokens_details=api.InputTokensDetails(cached_tokens=row["cached_tokens"]),
            output_tokens=written,
            output_tokens_details=api.OutputTokensDetails(reasoning_tokens=row["reasoning_tokens"]),
            total_tokens=read + written,
        ),
        metadata=request.get("metadata"),
        waiting_since=wait.waiting_since,
        waiting_for=wait.waiting_for,
    )
