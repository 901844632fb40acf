"""What is known about files, uploads in parts, and their parts.

Bytes are never without a row that tells of them, so that nothing is left behind wherever a process ends:

    pending (row)  ->  bytes  ->  kept  ->  expired: `expires_at` has passed  ->  bytes removed  ->  row removed

A file that is deleted, pruned or interrupted has expired at once.
"""

from __future__ import annotations

from typing import Literal

from runtime.storage.sql import ALL, Column, Condition, Index, PartOf, Schema, Table, above, add_indexes, either, eq
from runtime.storage.sql.paging import paging_indexes

State = Literal["pending", "kept"]
_OF_BYTES = (
    Column("id", "text"),
    Column("size_bytes", "integer"),
    Column("created_at", "integer"),
    Column("expires_at", "integer", nullable=True),
    Column("state", "text"),
    Column("held_by", "text", nullable=True),
)
"""created_at, expires_at: in seconds since 1970; expires_at is null for what never expires. state: a `State`; held_by:
while it is pending, the process that writes it (`holder.py`).
"""
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
    indexes=(*paging_indexes("purpose"), Index(("expires_at",)), Index(("held_by",))),
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
    indexes=(Index(("upload_id",)), Index(("expires_at",)), Index(("held_by",))),
    pruned="expire",
    part_of=PartOf("uploads", ("upload_id",)),
)
SCHEMA = Schema(
    name="files",
    tables=(FILES, UPLOADS, PARTS),
    migrations=(add_indexes(*paging_indexes("purpose"), Index(("created_at",))),),
)


def still_kept(now: int) -> Condition:
    """The rows whose bytes are whole and have not expired. now: in seconds since 1970."""
    return eq("state", "kept") & not_expired(now)


def not_expired(now: int) -> Condition:
    return either([eq("expires_at", None), above("expires_at", now)])


def of_purpose(purpose: str | None) -> Condition:
    return ALL if purpose is None else eq("purpose", purpose)
