"""What is kept of agents. What was said and done is kept as responses."""

from __future__ import annotations

from runtime.storage.sql import Column, Index, PartOf, Schema, Table
from runtime.storage.sql.paging import paging_indexes

STORE = "agents"
AGENTS = Table(
    name="",
    columns=(Column("id", "text"), Column("position", "integer"), Column("config", "json")),
    key=("id",),
    indexes=paging_indexes(),
)
"""position: when it was made, in microseconds since 1970. config: as it was given."""
SESSIONS = Table(
    name="sessions",
    columns=(
        Column("id", "text"),
        Column("agent_id", "text"),
        Column("position", "integer"),
        Column("used", "integer"),
        Column("name", "text"),
        Column("last", "text", nullable=True),
        Column("waiting", "json", nullable=True),
        Column("has_documents", "integer"),
        Column("turn", "text", nullable=True),
        Column("held_until", "real", nullable=True),
    ),
    key=("id",),
    indexes=paging_indexes("agent_id"),
    holds="sessions",
    aged_by="used",
    part_of=PartOf("", ("agent_id",)),
)
"""used: when its last turn began or ended, in seconds since 1970. last: the response that the next turn continues.
waiting: the calls that the client has not answered yet. has_documents: whether it has a vector store of its own. turn:
the one that runs; held_until: see `storage/sql/holding.py`.
"""
TURNS = Table(
    name="turns",
    columns=(
        Column("id", "text"),
        Column("session_id", "text"),
        Column("position", "integer"),
        Column("completed", "real", nullable=True),
        Column("is_over", "integer"),
        Column("asked", "json"),
        Column("responses", "json"),
        Column("results", "json"),
    ),
    key=("id",),
    indexes=(Index(("session_id", "position")),),
    has_owners=False,
    part_of=PartOf("sessions", ("session_id",)),
)
"""position: when it was begun, in microseconds since 1970; completed: when it was over, in seconds. is_over: false
while it runs or waits. asked: the members of its request that say what is asked. responses: the ids of what came of it,
the oldest first; results: what the client's tools gave back before each of them but the first.
"""
SCHEMA = Schema(name=STORE, tables=(AGENTS, SESSIONS, TURNS))
