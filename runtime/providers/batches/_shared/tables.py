"""What is kept of batches."""

from __future__ import annotations

from runtime.storage.sql import Column, PartOf, Schema, Table
from runtime.storage.sql.paging import paging_indexes

STORE = "batches"
BATCHES = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("created", "integer"),
        Column("expires", "integer"),
        Column("status", "text"),
        Column("outcome", "text", nullable=True),
        Column("request", "json"),
        Column("model", "text", nullable=True),
        Column("errors", "json", nullable=True),
        Column("total", "integer"),
        Column("completed", "integer"),
        Column("failed", "integer"),
        Column("input_tokens", "integer"),
        Column("cached_tokens", "integer"),
        Column("output_tokens", "integer"),
        Column("reasoning_tokens", "integer"),
        Column("output_file_id", "text", nullable=True),
        Column("error_file_id", "text", nullable=True),
        Column("in_progress_at", "integer", nullable=True),
        Column("finalizing_at", "integer", nullable=True),
        Column("cancelling_at", "integer", nullable=True),
        Column("ended_at", "integer", nullable=True),
    ),
    key=("id",),
    indexes=paging_indexes("status"),
    holds="batches",
    aged_by="ended_at",
)
"""outcome: the status that it is about to end with, null while its lines are asked. request: as it was created, without
its `idempotency_key`. errors: a list, the first of them. completed, failed and the tokens: of all its lines. All times
are in seconds since 1970.
"""
LINES = Table(
    name="lines",
    columns=(
        Column("batch_id", "text"),
        Column("number", "integer"),
        Column("is_error", "integer"),
        Column("input_tokens", "integer"),
        Column("cached_tokens", "integer"),
        Column("output_tokens", "integer"),
        Column("reasoning_tokens", "integer"),
        Column("size_bytes", "integer"),
        Column("data", "bytes"),
    ),
    key=("batch_id", "number"),
    has_owners=False,
    part_of=PartOf("", ("batch_id",)),
)
"""What became of each line, until that is in a file. number: of the line in the input, from 1. is_error: which file it
is for. data: its line there, `size_bytes` long with the line feed that follows.
"""
SCHEMA = Schema(name=STORE, tables=(BATCHES, LINES))
TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
