"""What is known about files, uploads in parts, and their parts.

Bytes are never without a row that tells of them, so that nothing is left behind wherever a process ends:

    begun (in BEGUN)  ->  bytes  ->  kept (in FILES or PARTS)  ->  expired  ->  bytes removed  ->  row removed
                            |                                                        ^
                            +->  interrupted: expired in BEGUN  ---------------------+

A row has expired when its `expires_at` has passed; one that is deleted or pruned, at once.
"""

from __future__ import annotations

from runtime.storage import sql
from runtime.storage.sql.paging import paging_indexes

_OF_BYTES = (
    sql.Column("id", "text"),
    sql.Column("size_bytes", "integer"),
    sql.Column("created_at", "integer"),
    sql.Column("expires_at", "integer", nullable=True),
)
"""created_at, expires_at: in seconds since 1970; expires_at is null for what never expires."""
FILES = sql.Table(
    name="",
    columns=(
        *_OF_BYTES,
        sql.Column("position", "integer"),
        sql.Column("filename", "text"),
        sql.Column("purpose", "text"),
        sql.Column("content_type", "text"),
        sql.Column("checksum", "text"),
    ),
    key=("id",),
    indexes=(*paging_indexes("purpose"), sql.Index(("expires_at",))),
    holds="files",
    aged_by="created_at",
    pruned="expire",
)
UPLOADS = sql.Table(
    name="uploads",
    columns=(
        sql.Column("id", "text"),
        sql.Column("size_bytes", "integer"),
        sql.Column("created_at", "integer"),
        sql.Column("expires_at", "integer"),
        sql.Column("filename", "text"),
        sql.Column("purpose", "text"),
        sql.Column("file_expires_after_s", "integer", nullable=True),
        sql.Column("status", "text"),
    ),
    key=("id",),
    indexes=(sql.Index(("expires_at",)),),
)
PARTS = sql.Table(
    name="parts",
    columns=(*_OF_BYTES, sql.Column("upload_id", "text")),
    key=("id",),
    indexes=(sql.Index(("upload_id",)), sql.Index(("expires_at",))),
    pruned="expire",
    part_of=sql.PartOf("uploads", ("upload_id",)),
)
BEGUN = sql.Table(
    name="begun",
    columns=(
        sql.Column("id", "text"),
        sql.Column("of_table", "text"),
        sql.Column("held_by", "text"),
        sql.Column("expires_at", "integer"),
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
        sql.Run(f"UPDATE {{{table.name}}} SET expires_at = 0 WHERE state = 'pending'"),  # noqa: S608  # ours
        sql.DropIndex(table.name, sql.Index(("held_by",))),
        sql.DropColumn(table.name, "held_by"),
        sql.DropColumn(table.name, "state"),
    )
]
"""A row once stood for what had only begun, too."""
SCHEMA = sql.Schema(
    name="files",
    tables=(FILES, UPLOADS, PARTS, BEGUN),
    migrations=(
        sql.add_indexes(*paging_indexes("purpose"), sql.Index(("created_at",))),
        (*_WITHOUT_STATES, sql.AddTable(BEGUN)),
    ),
)


def not_expired(now: int) -> sql.Condition:
    """What is still kept. now: in seconds since 1970."""
    return sql.either([sql.eq("expires_at", None), sql.above("expires_at", now)])


def of_purpose(purpose: str | None) -> sql.Condition:
    return sql.ALL if purpose is None else sql.eq("purpose", purpose)
