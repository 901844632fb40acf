"""What is known about files, uploads in parts, and their parts.

Bytes are never without a row that tells of them, so that nothing is left behind wherever a process ends:

    begun (in BEGUN)  ->  bytes  ->  kept (in FILES or PARTS)  ->  expired  ->  bytes removed  ->  row removed
                            |                                                        ^
                            +->  interrupted: expired in BEGUN  ---------------------+

A row has expired when its `expires_at` has passed; one that is deleted or pruned, at once.
"""

from __future__ import annotations

from runtime.storage.sql import (
    ALL,
    AddTable,
    Column,
    Condition,
    DropColumn,
    DropIndex,
    Index,
    PartOf,
    Run,
    Schema,
    Table,
    above,
    add_indexes,
    either,
    eq,
)
from runtime.storage.sql.paging import paging_indexes

_OF_BYTES = (
    Column("id", "text"),
    Column("size_bytes", "integer"),
    Column("created_at", "integer"),
    Column("expires_at", "integer", nullable=True),
)
"""created_at, expires_at: in seconds since 1970; expires_at is null for what never expires."""
FILES = Table(
    name="",
    columns=(
        *_OF_BYTES,
        Column("position", "integer"),
        Column("filename", "text"),
        Column("purpose", "text"),
        Column("content_type", "text"),
        Column("checksum", "text"),
    ),
    key=("id",),
    indexes=(*paging_indexes("purpose"), Index(("expires_at",))),
    holds="files",
    aged_by="created_at",
    pruned="expire",
)
UPLOADS = Table(
    name="uploads",
    columns=(
        Column("id", "text"),
        Column("size_bytes", "integer"),
        Column("created_at", "integer"),
        Column("expires_at", "integer"),
        Column("filename", "text"),
        Column("purpose", "text"),
        Column("file_expires_after_s", "integer", nullable=True),
        Column("status", "text"),
    ),
    key=("id",),
    indexes=(Index(("expires_at",)),),
)
PARTS = Table(
    name="parts",
    columns=(*_OF_BYTES, Column("upload_id", "text")),
    key=("id",),
    indexes=(Index(("upload_id",)), Index(("expires_at",))),
    pruned="expire",
    part_of=PartOf("uploads", ("upload_id",)),
)
BEGUN = Table(
    name="begun",
    columns=(
        Column("id", "text"),
        Column("of_table", "text"),
        Column("held_by", "text"),
        Column("expires_at", "integer"),
    ),
    key=("id",),
    has_owners=False,
    is_inner=True,
)
"""Ids under which bytes may be that have no row yet; see `begun.py`. of_table: where that row will be; held_by: the
process that writes the bytes (`holder.py`); expires_at: from when on they are removed.
"""
_WITHOUT_STATES = [
    step
    for table in (FILES, PARTS)
    for step in (
        Run(f"UPDATE {{{table.name}}} SET expires_at = 0 WHERE state = 'pending'"),  # noqa: S608  # ours
        DropIndex(table.name, Index(("held_by",))),
        DropColumn(table.name, "held_by"),
        DropColumn(table.name, "state"),
    )
]
"""A row once stood for what had only begun, too."""
SCHEMA = Schema(
    name="files",
    tables=(FILES, UPLOADS, PARTS, BEGUN),
    migrations=(
        add_indexes(*paging_indexes("purpose"), Index(("created_at",))),
        (*_WITHOUT_STATES, AddTable(BEGUN)),
    ),
)


def not_expired(now: int) -> Condition:
    """What is still kept. now: in seconds since 1970."""
    return either([eq("expires_at", None), above("expires_at", now)])


def of_purpose(purpose: str | None) -> Condition:
    return ALL if purpose is None else eq("purpose", purpose)
