"""What is kept of vector stores, beside the vectors themselves, which a backend has.

    store --- serving index ---+--- group (one file, or one document) --- chunks
                               +--- group ...
    store --- attached files
    store --- file batches --- how each file of a batch is

An index is made with one embedding model and one way to cut; a store has another one while it is reindexed. A group is
written chunk by chunk while it is `pending`, and found from the moment at which it is `live`; from then on it never
changes, but for its attributes and for chunks that are no longer there. What is no longer needed is first put into
`removals` in the transaction that takes it out of sight, and then removed from everywhere, as often as it takes. So
nothing is found in part, twice or after its removal, wherever a process ends.

Each change of what an index shows has the next number of its `version`: readers keep groups in memory, and read those
that changed since the version they know.
"""

from __future__ import annotations

from typing import Literal

from runtime.storage.sql import AddTable, Column, Index, Run, Schema, Table
from runtime.storage.sql.paging import BY_POSITION
from runtime.storage.words.tables import WORD_TABLES

GroupState = Literal["pending", "live", "dead"]
WHOLE_INDEX = -1
"""The group of a removal that means all of an index."""

STORES = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("name", "text"),
        Column("description", "text", nullable=True),
        Column("metadata", "json"),
        Column("created_at", "integer"),
        Column("last_active_at", "integer"),
        Column("expires_after_days", "integer", nullable=True),
        Column("expires_at", "integer", nullable=True),
        Column("index_number", "integer"),
        Column("next_index", "integer", nullable=True),
        Column("reindexing", "json", nullable=True),
    ),
    key=("id",),
    indexes=(BY_POSITION, Index(("expires_at",)), Index(("next_index",))),
    holds="vector_stores",
    aged_by="last_active_at",
    pruned="expire",
)
"""Times are in seconds since 1970. index_number: the index that serves; next_index: the one that is to replace it.
reindexing: how far that is, or how it ended, as `reindexing.py` has it.
"""
INDEXES = Table(
    name="indexes",
    columns=(
        Column("number", "integer"),
        Column("store_id", "text"),
        Column("state", "text"),  # building, serving, retired
        Column("provider_id", "text"),
        Column("collection", "text"),
        Column("embedding_model", "text"),
        Column("embedding_source", "text"),
        Column("dimension", "integer"),
        Column("chunking", "json", nullable=True),
        Column("version", "integer"),
        Column("floor", "integer"),
    ),
    key=("number",),
    indexes=(Index(("store_id",)),),
    has_owners=False,
)
"""number: also the time at which it was begun, in microseconds. collection: its name at the backend. embedding_source:
the owner's id of the model, `provider_id/its own name`, by which a model that changed is noticed. chunking: of files
that do not say otherwise. floor: who knows an older version than this reads all groups again.
"""
FILES = Table(
    name="files",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("store_id", "text"),
        Column("file_id", "text"),
        Column("status", "text"),
        Column("created_at", "integer"),
        Column("attributes", "json"),
        Column("chunking", "json", nullable=True),
        Column("cut", "json", nullable=True),
        Column("usage_bytes", "integer"),
        Column("last_error", "json", nullable=True),
        Column("report", "json", nullable=True),
        Column("attachment", "text"),
    ),
    key=("id",),
    indexes=(
        Index(("store_id", "position", "id")),
        Index(("store_id", "status", "position", "id")),
        Index(("status", "position")),
        Index(("file_id",)),
    ),
    has_owners=False,
)
"""id: `store_id:file_id`, which a file has once in a store. chunking: as it was asked for; cut: as it was done.
attachment: a new one each time that it is attached, which is the id of its job too. A file whose new attempt comes to
nothing is again as the attempt before left it.
"""
ATTACHMENT = "ingest_"
"""How an attachment begins."""
BATCHES = Table(
    name="batches",
    columns=(
        Column("id", "text"),
        Column("store_id", "text"),
        Column("created_at", "integer"),
        Column("is_cancelled", "integer"),
    ),
    key=("id",),
    indexes=(Index(("store_id",)),),
    has_owners=False,
)
BATCH_FILES = Table(
    name="batch_files",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("batch_id", "text"),
        Column("store_id", "text"),
        Column("file_id", "text"),
        Column("status", "text"),
        Column("last_error", "json", nullable=True),
    ),
    key=("id",),
    indexes=(
        Index(("batch_id", "position", "id")),
        Index(("batch_id", "status", "position", "id")),
        Index(("store_id", "file_id")),
    ),
    has_owners=False,
)
"""How a batch's own attempts at its files are, or ended, also where a file was attached again since. id: the
attachment.
"""
GROUPS = Table(
    name="groups",
    columns=(
        Column("index_number", "integer"),
        Column("number", "integer"),
        Column("state", "text"),
        Column("changed", "integer"),
        Column("source", "text"),
        Column("filename", "text"),
        Column("attributes", "json"),
        Column("chunks", "integer"),
        Column("gone", "json"),
        Column("content", "text"),
        Column("about", "json", nullable=True),
        Column("expires_at", "integer", nullable=True),
    ),
    key=("index_number", "number"),
    indexes=(
        Index(("index_number", "changed")),
        Index(("index_number", "source")),
        Index(("expires_at",)),
        Index(("state", "number")),
    ),
    has_owners=False,
)
"""number: also the time at which it was begun, in milliseconds. source: the id of the file or of the document. changed:
the index's version from which it is as it is. chunks: how many were written; gone: which of them have been replaced
since, counted from 0. content: the same for the group of another index that has the same chunks: a file's `attachment`,
or an id that is new with each change of them. about: what is true of a file in this index, as its row has it:
`chunking`, `cut`, `usage_bytes` and `report`; null for what is no file.
"""
CHUNKS = Table(
    name="chunks",
    columns=(
        Column("index_number", "integer"),
        Column("number", "integer"),
        Column("chunk_id", "text"),
        Column("facts", "json"),
        Column("text", "text"),
    ),
    key=("index_number", "number"),
    indexes=(Index(("index_number", "chunk_id")),),
    has_owners=False,
)
"""number: the vector's at the backend. facts: its metadata and where it comes from, as `Chunk` has them."""
REMOVALS = Table(
    name="removals",
    columns=(
        Column("index_number", "integer"),
        Column("number", "integer"),
        Column("provider_id", "text"),
        Column("collection", "text"),
    ),
    key=("index_number", "number"),
    has_owners=False,
)
"""number: a group's, or WHOLE_INDEX."""
_HAVE_BATCH_FILES = (
    AddTable(BATCH_FILES),
    Run(
        "INSERT INTO {batch_files} (id, position, batch_id, store_id, file_id, status, last_error)"
        " SELECT attachment, position, batch_id, store_id, file_id, status, last_error"
        " FROM {files} WHERE batch_id IS NOT NULL"
    ),
)
"""A file's row had the last batch that attached it, so that earlier ones forgot the file."""
SCHEMA = Schema(
    name="vector_stores",
    tables=(STORES, INDEXES, FILES, BATCHES, BATCH_FILES, GROUPS, CHUNKS, REMOVALS, *WORD_TABLES),
    migrations=(_HAVE_BATCH_FILES,),
)


def file_key(store_id: str, file_id: str) -> str:
    """The id of an attached file's row."""
    return f"{store_id}:{file_id}"
