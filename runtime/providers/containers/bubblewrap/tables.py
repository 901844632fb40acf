"""What is kept of containers. Their files are in folders (`folder.py`); a folder without a row that has not expired is
removed, and a file's row follows what is in the folder.
"""

from __future__ import annotations

from runtime.storage.sql import Column, Index, PartOf, Schema, Table
from runtime.storage.sql.paging import paging_indexes

CONTAINERS = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("name", "text"),
        Column("created_at", "integer"),
        Column("last_active_at", "integer"),
        Column("expires_after_minutes", "integer"),
        Column("expires_at", "integer"),
        Column("memory_limit", "text"),
    ),
    key=("id",),
    indexes=(*paging_indexes("name"), Index(("expires_at",))),
    holds="containers",
    aged_by="created_at",
)
"""created_at, last_active_at, expires_at: in seconds since 1970."""
FILES = Table(
    name="files",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("container_id", "text"),
        Column("place", "bytes"),
        Column("created_at", "integer"),
        Column("size_bytes", "integer"),
        Column("state", "text"),
        Column("source", "text"),
        Column("copied_from", "text", nullable=True),
    ),
    key=("id",),
    indexes=(Index(("container_id", "position", "id")),),
    has_owners=False,
    part_of=PartOf("", ("container_id",)),
)
"""place: the path in the folder, as the system has it. state: by which it is seen that its content has changed.
copied_from: the file of the Files API that it was, if it was one.
"""
SCHEMA = Schema(name="containers", tables=(CONTAINERS, FILES))
