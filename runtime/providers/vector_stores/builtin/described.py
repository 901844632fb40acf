"""Vector stores as the API has them: their rows with the counts of their files and the facts of their index."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.apis.vector_stores.store import FileCounts, Reindexing, VectorStore, VectorStoreExpiresAfter
from runtime.clock import wall_time
from runtime.providers.vector_stores.builtin.tables import FILES, INDEXES
from runtime.storage.sql import Groups, Row, Select, SqlStore, one_of


async def described(stored: SqlStore, rows: Sequence[Row]) -> list[VectorStore]:
    """stored: all users' rows; rows: those of the stores. Raises Unavailable."""
    ids = [row["id"] for row in rows]
    counts: dict[str, FileCounts] = {one: FileCounts() for one in ids}
    usage = dict.fromkeys(ids, 0)
    for one in await stored.groups(Groups(FILES, ("store_id", "status"), one_of("store_id", ids), ("usage_bytes",))):
        count = counts[one["store_id"]]
        setattr(count, one["status"], one["count"])
        count.total += one["count"]
        usage[one["store_id"]] += one["usage_bytes"]
    numbers = [row["index_number"] for row in rows]
    indexes = {row["number"]: row for row in await stored.select(Select(INDEXES, one_of("number", numbers)))}
    return [_described(row, counts[row["id"]], usage[row["id"]], indexes.get(row["index_number"])) for row in rows]


def is_over(row: Row) -> bool:
    """Whether a store's time has passed."""
    return row["expires_at"] is not None and row["expires_at"] <= wall_time()


def _described(row: Row, counts: FileCounts, usage_bytes: int, index: Row | None) -> VectorStore:
    status = "in_progress" if counts.in_progress else "completed"
    days = row["expires_after_days"]
    return VectorStore(
        id=row["id"],
        created_at=row["created_at"],
        name=row["name"],
        description=row["description"],
        usage_bytes=usage_bytes,
        file_counts=counts,
        status="expired" if is_over(row) else status,
        expires_after=VectorStoreExpiresAfter(anchor="last_active_at", days=days) if days else None,
        expires_at=row["expires_at"],
        last_active_at=row["last_active_at"],
        metadata=row["metadata"],
        embedding_model=index["embedding_model"] if index else None,
        embedding_dimension=index["dimension"] if index else None,
        provider_id=index["provider_id"] if index else None,
        reindexing=Reindexing(**row["reindexing"]) if row["reindexing"] else None,
    )
