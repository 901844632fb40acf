"""What is kept of conversations."""

from __future__ import annotations

from runtime.storage.sql import Column, Index, PartOf, Schema, Table

STORE = "conversations"
CONVERSATIONS = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("created", "integer"),
        Column("used", "integer"),
        Column("last", "integer"),
        Column("metadata", "json"),
    ),
    key=("id",),
    holds="conversations",
    aged_by="used",
)
"""created: in seconds since 1970; used: the same of the last items. last: the position of the last item that there was,
or one before every item.
"""
ITEMS = Table(
    name="items",
    columns=(
        Column("conversation_id", "text"),
        Column("id", "text"),
        Column("position", "integer"),
        Column("item", "bytes", nullable=True),
    ),
    key=("conversation_id", "id"),
    indexes=(Index(("conversation_id", "position", "id")),),
    has_owners=False,
    part_of=PartOf("", ("conversation_id",)),
)
"""item: JSON; null for one that was deleted, whose place stays, so that a page can begin after it."""
SCHEMA = Schema(name=STORE, tables=(CONVERSATIONS, ITEMS))
