"""What was found, as each API has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.apis._chunks import ChunkMetadata
from runtime.apis.vector_stores.native import EmbeddedChunk, QueryChunksResponse
from runtime.providers.vector_stores.builtin.indexes import VectorIndex
from runtime.providers.vector_stores.builtin.searching import Found
from runtime.sse import Reply, encode

_RANKINGS = ("vector", "keyword", "fused", "rerank")


def search_results(found: Sequence[Found], texts: Sequence[str], *, explain: bool) -> Reply:
    """A page of `SearchResults`."""
    return Reply(
        encode(
            {
                "object": "vector_store.search_results.page",
                "search_query": texts,
                "data": [_hit(one, explain=explain) for one in found],
                "has_more": False,
                "next_page": None,
            }
        )
    )


def _hit(found: Found, *, explain: bool) -> dict[str, Any]:
    hit: dict[str, Any] = {
        "file_id": found.group.source,
        "filename": found.group.filename,
        "score": found.score,
        "attributes": found.group.attributes,
        "content": [
            {
                "type": "text",
                "text": found.row["text"],
                "chunk_id": found.row["chunk_id"],
                "metadata": found.row["facts"].get("metadata"),
            }
        ],
    }
    if explain:
        places = {name: _rank(found.places, name) for name in _RANKINGS}
        hit["explanation"] = {"query": found.text, **places}
    return hit


def _rank(places: Mapping[str, tuple[int, float]], name: str) -> dict[str, Any] | None:
    if (place := places.get(name)) is None:
        return None
    return {"position": place[0], "score": place[1]}


def queried_chunks(
    found: Sequence[Found], index: VectorIndex, embeddings: Mapping[int, list[float]]
) -> QueryChunksResponse:
    """Chunks as they are kept, with their scores."""
    chunks = []
    for one in found:
        facts = one.row["facts"]
        about = {"document_id": one.group.source} | (facts.get("chunk_metadata") or {})
        chunks.append(
            EmbeddedChunk(
                content=one.row["text"],
                chunk_id=one.row["chunk_id"],
                metadata={"document_id": one.group.source, **(facts.get("metadata") or {}), **one.group.attributes},
                chunk_metadata=ChunkMetadata(**about),
                embedding=embeddings.get(one.row["number"]),
                embedding_model=index.embedding_model,
                embedding_dimension=index.dimension,
            )
        )
    return QueryChunksResponse(chunks=chunks, scores=[one.score for one in found])
