"""What it takes to get documents into a vector store: a thousand of them by file batches, without embedding; and chunks
that are embedded here, beside embedding them and giving their vectors to the vector database's library.

Run: `.venv/bin/python -m scripts.bench.ingestion [--provider chromadb] [--documents N] [--chunks N]`. The server is
`runtime.server` of this environment, on this disk. Documents have 600 words, which are two chunks, and are embedded by
the mock upstream in another process, which does not count. The chunks are of documents of this Python, of at most 200
tokens, in calls of 64, and are embedded by MiniLM in the server. CPU is that of the server and what it has started.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import httpx
import numpy as np

from runtime.documents.chunking import Sizes
from scripts.bench import environments, measure, raw_vectors, servers
from scripts.bench.retrieval.oracle import chunked
from scripts.bench.servers import Server
from scripts.bench.vector_stores import Stores, run_config

_MODEL, _DIMENSION, _AT_ONCE, _LIMIT_S = "st/all-MiniLM-L6-v2", 384, 64, 600
_BATCHES = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default="chromadb", choices=[*raw_vectors.SUBJECTS])
    parser.add_argument("--documents", type=int, default=1000, help=f"in {_BATCHES} batches")
    parser.add_argument("--chunks", type=int, default=600, help="that are embedded here")
    options = parser.parse_args()
    with environments.scratch() as folder, servers.mock(folder) as upstream:
        print(f"{measure.machine()}; `{options.provider}`\n")
        _documents(folder, upstream, options.provider, options.documents)
        _chunks(folder, options.provider, options.chunks)


def _documents(folder: Path, upstream: str, provider: str, count: int) -> None:
    with (
        servers.of_this_tree(folder, **run_config(upstream, f"inline::{provider}")) as ours,
        httpx.Client(base_url=f"http://127.0.0.1:{ours.port}", timeout=_LIMIT_S) as client,
    ):
        stores = Stores(client, ours)
        stores.ingested(10)
        rows, before = [], measure.tree_memory(ours.pid).pss_mb
        for batch in range(_BATCHES):
            found = stores.ingested(count // _BATCHES)
            memory = measure.tree_memory(ours.pid).pss_mb - before
            rows.append((f"batch {batch + 1}", f"{found.cpu_us / 1000:.1f}", f"{found.wall_ms:.1f}", f"{memory:.0f}"))
    header = (f"{count // _BATCHES} documents a batch", "CPU, ms each", "ms each", "memory since the start, MB")
    print(measure.table(header, rows) + "\n")


def _chunks(folder: Path, provider: str, count: int) -> None:
    inference = {"provider_id": "st", "provider_type": "inline::sentence-transformers"}
    vectors = {"provider_id": "vectors", "provider_type": f"inline::{provider}"}
    texts = [chunk.text for chunk in chunked(Sizes(max_tokens=200, overlap_tokens=0))[:count]]
    with (
        servers.of_this_tree(folder, {"inference": [inference], "vector_io": [vectors]}) as ours,
        httpx.Client(base_url=f"http://127.0.0.1:{ours.port}/v1", timeout=_LIMIT_S) as client,
    ):
        ours.wait_for(f"/v1/models/{_MODEL}")
        store = _asked(client, "/vector_stores", {"embedding_model": _MODEL}).json()["id"]
        embedded = inserted = 0.0
        for at in range(0, count, _AT_ONCE):  # in turn, so that a busy neighbour meets both
            some = texts[at : at + _AT_ONCE]
            embedded += _cpu_s(ours, client, "/embeddings", {"model": _MODEL, "input": some})
            chunks = [{"content": text, "metadata": {"document_id": f"d{at}"}} for text in some]
            inserted += _cpu_s(ours, client, "/vector-io/insert", {"vector_store_id": store, "chunks": chunks})
    put, _ = raw_vectors.SUBJECTS[provider](folder, _DIMENSION)
    drawn = np.random.default_rng(0).standard_normal((count, _DIMENSION)).astype(np.float32)
    began = time.process_time()
    for at in range(0, count, _AT_ONCE):
        put(np.arange(at, min(at + _AT_ONCE, count)), drawn[at : at + _AT_ONCE])
    raw = time.process_time() - began
    times = inserted / (embedded + raw)
    rows = [
        ("embedding", f"{embedded * 1000 / count:.2f}", ""),
        ("the library's insertion", f"{raw * 1000 / count:.2f}", ""),
        ("insertion by us, with embedding", f"{inserted * 1000 / count:.2f}", f"{times:.2f} times; at most 1.3"),
    ]
    print(measure.table(("a chunk of about 200 tokens", "CPU, ms", "both together"), rows))


def _cpu_s(server: Server, client: httpx.Client, path: str, body: dict[str, object]) -> float:
    before = measure.tree_cpu_s(server.pid)
    _asked(client, path, body)
    return measure.tree_cpu_s(server.pid) - before


def _asked(client: httpx.Client, path: str, body: dict[str, object]) -> httpx.Response:
    answer = client.post(path, json=body)
    if answer.is_error:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:500]}")
    return answer


if __name__ == "__main__":
    main()
