"""An evaluation as its API shows it."""

from __future__ import annotations

from runtime.apis.eval.job import Job, JobProgress, JobStatus
from runtime.apis.eval.results import EvaluatedRow
from runtime.providers._background.waiting import Wait
from runtime.providers.eval._shared.kept_rows import decode
from runtime.storage.sql import Row


def shown(row: Row, wait: Wait | None = None) -> Job:
    """row: with all columns. wait: what it waits for."""
    wait = wait or Wait()
    return Job(
        job_id=row["id"],
        status=_status(row),
        benchmark_id=row["benchmark_id"],
        dataset_id=row["dataset_id"],
        dataset_version=row["dataset_version"],
        scoring_functions=row["functions"],
        benchmark_config=row["config"],
        progress=JobProgress(rows=row["total"], done=row["done"], failed=row["failed"]),
        error=row["error"],
        created_at=row["created"],
        ended_at=row["ended_at"],
        waiting_since=wait.waiting_since,
        waiting_for=wait.waiting_for,
    )


def shown_row(row: Row) -> EvaluatedRow:
    """row: of `KeptRows`, with its JSON."""
    return EvaluatedRow(
        index=row["number"],
        row=decode(row["row"]),
        generation=decode(row["generation"]),
        scores=decode(row["scores"] or b"{}"),
    )


def _status(row: Row) -> JobStatus:
    if row["ended_at"] is not None or row["outcome"] == "cancelled":
        status: JobStatus = row["outcome"]
        return status
    return "in_progress" if row["begun_at"] is not None else "scheduled"
