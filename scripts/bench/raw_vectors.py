"""The vector databases that run in this process, each used as its own documentation shows and without anything of ours.

Each makes a collection in a folder and has `put(numbers, rows)` and `search(vector, limit)`. numbers: [n], int64; rows:
[n, dimension], float32.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Put = Callable[[Array, Array], object]
Search = Callable[[Array, int], object]


def chromadb(folder: Path, dimension: int) -> tuple[Put, Search]:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    made = client.create_collection("vectors", embedding_function=None, configuration={"hnsw": {"space": "ip"}})

    def put(numbers: Array, rows: Array) -> None:
        made.upsert(ids=[str(one) for one in numbers], embeddings=rows, metadatas=[{"group": 1}] * len(numbers))

    return put, lambda vector, limit: made.query(query_embeddings=[vector], n_results=limit, include=["distances"])


def sqlite_vec(folder: Path, dimension: int) -> tuple[Put, Search]:
    import apsw
    import sqlite_vec

    connection = apsw.Connection(str(folder / "v.db"))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.execute("PRAGMA journal_mode = WAL")
    vectors = f"FLOAT[{dimension}] distance_metric=cosine"
    connection.execute(f"CREATE VIRTUAL TABLE v USING vec0(number INTEGER PRIMARY KEY, vector {vectors})")

    def put(numbers: Array, rows: Array) -> None:
        with connection:
            given = zip(numbers.tolist(), rows, strict=True)
            connection.executemany("INSERT INTO v VALUES (?, ?)", [(number, row.tobytes()) for number, row in given])

    def search(vector: Array, limit: int) -> object:
        sql = "SELECT number, distance FROM v WHERE vector MATCH ? AND k = ?"
        return connection.execute(sql, (vector.tobytes(), limit)).fetchall()

    return put, search


def faiss(folder: Path, dimension: int) -> tuple[Put, Search]:
    import faiss

    index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
    return lambda numbers, rows: index.add_with_ids(rows, numbers), lambda vector, limit: index.search(
        vector[None], limit
    )


def qdrant(folder: Path, dimension: int) -> tuple[Put, Search]:
    import qdrant_edge as edge

    vectors = edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Dot)
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=vectors))

    def put(numbers: Array, rows: Array) -> None:
        given = zip(numbers.tolist(), rows.tolist(), strict=True)
        shard.update(edge.UpdateOperation.upsert_points([edge.Point(*one) for one in given]))
        shard.flush()

    return put, lambda vector, limit: shard.search(edge.SearchRequest(edge.Query.Nearest(vector.tolist()), limit))


def milvus(folder: Path, dimension: int) -> tuple[Put, Search]:
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(str(folder / "m.db"))
    schema = MilvusClient.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="IP")
    client.create_collection("v", schema=schema, index_params=index, consistency_level="Strong")

    def put(numbers: Array, rows: Array) -> None:
        given = zip(numbers.tolist(), rows, strict=True)
        client.upsert("v", [{"id": number, "vector": row} for number, row in given])

    return put, lambda vector, limit: client.search("v", [vector], limit=limit)


def duckdb(folder: Path, dimension: int) -> tuple[Put, Search]:
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(str(folder / "v.duckdb"), config={"threads": 2})
    connection.execute(f"CREATE TABLE v (number BIGINT, vector FLOAT[{dimension}])")
    near = f"array_inner_product(vector, ?::FLOAT[{dimension}])"

    def put(numbers: Array, rows: Array) -> None:
        arrays = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), dimension)
        connection.register("new_rows", pa.table({"number": numbers, "vector": arrays}))
        connection.execute("INSERT INTO v SELECT * FROM new_rows")

    def search(vector: Array, limit: int) -> object:
        sql = f"SELECT number, {near} AS near FROM v ORDER BY near DESC LIMIT ?"
        return connection.execute(sql, (vector.tolist(), limit)).fetchall()

    return put, search


SUBJECTS: dict[str, Callable[[Path, int], tuple[Put, Search]]] = {
    "chromadb": chromadb,
    "sqlite-vec": sqlite_vec,
    "faiss": faiss,
    "qdrant": qdrant,
    "milvus": milvus,
    "duckdb": duckdb,
}
