"""What is kept of responses."""

from __future__ import annotations

from runtime.storage.sql import Column, Schema, Table
from runtime.storage.sql.paging import paging_indexes

STORE = "responses"
RESPONSES = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("created", "integer"),
        Column("status", "text"),
        Column("model", "text"),
        Column("ancestors", "json"),
        Column("conversation_id", "text", nullable=True),
        Column("input", "bytes"),
        Column("response", "bytes"),
    ),
    key=("id",),
    indexes=paging_indexes("model"),
    holds="responses",
    aged_by="created",
)
"""created: in seconds since 1970. model: as it was asked for. ancestors: the ids of the responses that it continues,
the oldest first. input: the items of its own request, each with an id; response: the object; both JSON.
"""
KEYS = Table(
    name="keys",
    columns=(Column("name", "text"), Column("key", "bytes")),
    key=("name",),
    has_owners=False,
)
"""What encrypted contents are sealed with."""
SCHEMA = Schema(name=STORE, tables=(RESPONSES, KEYS))
