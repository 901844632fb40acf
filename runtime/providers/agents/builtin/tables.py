"""What is kept of agents. What was said and done is kept as responses."""

from __future__ import annotations

from runtime.storage.sql import AddColumn, AddIndex, Column, Index, PartOf, Schema, Table, eq
from runtime.storage.sql.paging import paging_indexes

STORE = "agents"
_EXPIRES = Column("expires_at", "integer", nullable=True)
_BY_EXPIRY = Index(("expires_at", "id"))
HERE, GONE = eq("expires_at", None), eq("expires_at", 0)
"""What callers see of agents and sessions; and what nobody sees any more, and `removing.py` deletes."""
AGENTS = Table(
    name="",
    columns=(Column("id", "text"), Column("position", "integer"), Column("config", "json"), _EXPIRES),
    key=("id",),
    indexes=(*paging_indexes(), _BY_EXPIRY),
)
"""position: when it was made, in microseconds since 1970. config: as it was given. expires_at: see `GONE`."""
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
        _EXPIRES,
    ),
    key=("id",),
    indexes=(*paging_indexes("agent_id"), _BY_EXPIRY),
    holds="sessions",
    aged_by="used",
    pruned="expire",
    part_of=PartOf("", ("agent_id",)),
)
"""used: when its last turn began or ended, in seconds since 1970. last: the response that the next turn continues.
waiting: the calls that the client has not answered yet. has_documents: whether it has a vector store of its own. turn:
the one that runs; held_until: see `storage/sql/holding.py`. expires_at: see `GONE`. Tables that were made before that
column delete sessions with their agent's row, which therefore goes last.
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
_EXPIRE = tuple(
    step for table in ("", "sessions") for step in (AddColumn(table, _EXPIRES), AddIndex(table, _BY_EXPIRY))
)
SCHEMA = Schema(name=STORE, tables=(AGENTS, SESSIONS, TURNS), migrations=(_EXPIRE,))
