"""What is kept of a job: its table, and what a row of it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runtime.access import User
from runtime.storage.sql.conditions import owner_of
from runtime.storage.sql.paging import paging_indexes
from runtime.storage.sql.store import Row
from runtime.storage.sql.tables import AddColumn, Column, Index, Schema, Table, add_indexes

JobState = Literal["queued", "running", "cancelling", "completed", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("completed", "failed", "cancelled")

_BEGUN = Column("begun", "json", nullable=True)
JOBS = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("kind", "text"),
        Column("state", "text"),
        Column("payload", "json", nullable=True),
        Column("progress", "json", nullable=True),
        Column("result", "json", nullable=True),
        Column("error", "json", nullable=True),
        Column("attempts", "integer"),
        Column("due_at", "real", nullable=True),
        Column("lease", "text", nullable=True),
        Column("created_at", "real"),
        Column("started_at", "real", nullable=True),
        Column("ended_at", "real", nullable=True),
        _BEGUN,
    ),
    key=("id",),
    indexes=(*paging_indexes("kind"), Index(("kind", "due_at"))),
    holds="jobs",
    aged_by="ended_at",
)
"""due_at: when anybody may take the job: at once or after a pause if it is queued, when its lease runs out if somebody
has it, never (null) once it has ended. lease: a name for the time that somebody has it, null while nobody has.
attempts: those that have begun, without those that a stop of the server cut short or that were postponed. begun: what
is known of the request that has led to it, see `JobRunner`. All times are in seconds since 1970.
"""
_FIND = add_indexes(*paging_indexes("kind"), Index(("ended_at",)))
SCHEMA = Schema(name="jobs", tables=(JOBS,), migrations=(_FIND, (AddColumn("", _BEGUN),)))


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job as it was when it was read.

    owner: whose it is; the work acts for them. payload, progress, result: JSON values of the kind's own; progress is
    the last checkpoint. error: `message` and `code` of why it failed, or of the last attempt that did.
    created_at, started_at, ended_at: seconds since 1970. begun: what is known of the request that has led to it, None
    where nothing is.
    """

    id: str
    kind: str
    state: JobState
    owner: User | None
    payload: Any
    progress: Any
    result: Any
    error: Mapping[str, str | None] | None
    attempts: int
    created_at: float
    started_at: float | None
    ended_at: float | None
    begun: Any = None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


_FIELDS = tuple(name for name in Job.__dataclass_fields__ if name != "owner")


def job_of(row: Row) -> Job:
    """The job in a row with all columns."""
    return Job(owner=owner_of(row), **{name: row[name] for name in _FIELDS})
