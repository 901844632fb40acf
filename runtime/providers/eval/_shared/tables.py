"""What is kept of evaluations."""

from __future__ import annotations

from runtime.storage.sql import Column, Index, PartOf, Schema, Table
from runtime.storage.sql.paging import paging_indexes

STORE = "eval"
RUNS = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("created", "integer"),
        Column("provider_id", "text"),
        Column("benchmark_id", "text"),
        Column("dataset_id", "text"),
        Column("dataset_version", "text", nullable=True),
        Column("functions", "json"),
        Column("config", "json"),
        Column("total", "integer", nullable=True),
        Column("done", "integer"),
        Column("failed", "integer"),
        Column("outcome", "text", nullable=True),
        Column("error", "text", nullable=True),
        Column("results", "json", nullable=True),
        Column("agent_id", "text", nullable=True),
        Column("begun_at", "integer", nullable=True),
        Column("exported_at", "integer", nullable=True),
        Column("ended_at", "integer", nullable=True),
    ),
    key=("id",),
    indexes=paging_indexes("benchmark_id"),
    holds="evaluations",
    aged_by="ended_at",
)
"""provider_id: whose jobs do it. functions: the ids of those that score. config: the `BenchmarkConfig`. total: how many
rows it has, null until they are counted; done, failed: see `JobProgress`. outcome: the status that it ends with, null
while its rows are asked. results: what is said of all rows together, by function. agent_id: of the agent that was made
for it. exported_at: when its rows were in analytics. All times are in seconds since 1970.
"""
ROWS = Table(
    name="rows",
    columns=(
        Column("run_id", "text"),
        Column("number", "integer"),
        Column("digest", "text"),
        Column("is_scored", "integer"),
        Column("is_failed", "integer"),
        Column("is_error", "integer"),
        Column("size_bytes", "integer"),
        Column("row", "bytes"),
        Column("generation", "bytes"),
        Column("scores", "bytes", nullable=True),
    ),
    key=("run_id", "number"),
    indexes=(Index(("run_id", "is_error", "number")),),
    has_owners=False,
    part_of=PartOf("", ("run_id",)),
)
"""The rows that are answered. number: its place in the dataset, from 0. digest: the same for equal rows. is_failed:
whether the candidate has failed; is_error: whether it has, or a function has no score. row: what the dataset has,
generation: what was answered, scores: what each function says, by its id; all JSON, `size_bytes` together.
"""
SCHEMA = Schema(name=STORE, tables=(RUNS, ROWS))
