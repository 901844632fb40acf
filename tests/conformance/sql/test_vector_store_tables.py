"""The tables of vector stores from before batches had rows of their own for their files."""

from __future__ import annotations

from dataclasses import replace

from runtime.providers.vector_stores.builtin.tables import BATCH_FILES, FILES, SCHEMA, file_key
from runtime.storage.sql import Column, Index, Insert, Schema, Select, SqlStore
from tests.conformance.conftest import Open

_OLD_FILES = replace(
    FILES,
    columns=(*FILES.columns, Column("batch_id", "text", nullable=True)),
    indexes=(*FILES.indexes, Index(("batch_id", "position", "id"))),
)
_OTHERS = tuple(table for table in SCHEMA.tables if table not in (FILES, BATCH_FILES))
OLD = Schema(name=SCHEMA.name, tables=(_OTHERS[0], _OLD_FILES, *_OTHERS[1:]))


async def test_files_of_batches_stay_in_them(open_backend: Open) -> None:
    before = open_backend()
    old = SqlStore(lambda: before, OLD, "vector_stores")
    await old.open()
    error = {"code": "invalid_file", "message": "it has no text"}
    facts = {"store_id": "vs_1", "created_at": 1, "attributes": {}, "usage_bytes": 0}
    for number, (batch, status, last_error) in enumerate(
        [(None, "completed", None), ("vsfb_1", "failed", error), ("vsfb_1", "in_progress", None)]
    ):
        key = {"id": file_key("vs_1", f"file-{number}"), "file_id": f"file-{number}", "position": number}
        own = {"status": status, "last_error": last_error, "attachment": f"ingest_{number}", "batch_id": batch}
        await old.write(Insert(_OLD_FILES, key | own | facts))
    await before.close()
    after = open_backend()
    now = SqlStore(lambda: after, SCHEMA, "vector_stores")
    await now.open()
    shared = {"batch_id": "vsfb_1", "store_id": "vs_1"}
    assert await now.select(Select(BATCH_FILES, order=("position",))) == [
        {"id": "ingest_1", "position": 1, "file_id": "file-1", "status": "failed", "last_error": error, **shared},
        {"id": "ingest_2", "position": 2, "file_id": "file-2", "status": "in_progress", "last_error": None, **shared},
    ]
    assert len(await now.select(Select(FILES))) == 3
    row = {"id": "k", "position": 9, "file_id": "file-9", "status": "in_progress", "attachment": "ingest_9"}
    await now.write(Insert(FILES, row | facts))  # though the column of before is still there
