"""What vector stores cost: a search and the ingestion of a document, as multiples of one plain chat through the floor,
and how long searches over 100,000 chunks take over HTTP; over the vector database's library alone: `vectors.py`.

Run: `.venv/bin/python -m scripts.bench.vector_stores [--rounds N] [--provider inline::chromadb] [--chunks N]`. The
server is `runtime.server` of this environment, on this disk. The mock upstream embeds, in another process that does not
count, as the load does not. Chunks have 100 words, as frequent as in a language, and vectors without a meaning; files
have 600 words, which are two chunks.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import numpy as np

from scripts.bench import in_chats, load, measure, servers
from scripts.bench.in_chats import cpu_us
from scripts.bench.language import Language, question
from scripts.bench.servers import Server
from scripts.bench.upstream import DIMENSIONS, vector_of

_MODES = ("vector", "keyword", "hybrid")
_FEW, _AT_ONCE, _PER_DOCUMENT, _CHUNK_WORDS, _FILE_WORDS = 20_000, 500, 20, 100, 600
_LIMIT_S = 120
_BUDGETS = {f"search of {_FEW}, {mode}": "6 times" for mode in _MODES} | {"ingestion of a file": "15,000 us"}
_EMBEDDED = load.Work(path="/v1/embeddings", body={"model": "openai/embed", "input": "word40 word70 word1000"})


def run_config(upstream: str, provider: str) -> dict[str, Any]:
    """Of a server whose vectors a provider keeps and the mock embeds."""
    model = {
        "model_id": "openai/embed",
        "provider_id": "openai",
        "provider_model_id": "embed",
        "model_type": "embedding",
        "metadata": {"embedding_dimension": DIMENSIONS},
    }
    return {
        "providers": {
            "inference": [servers.openai_provider(upstream)],
            "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
            "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
            "vector_io": [{"provider_id": "vectors", "provider_type": provider}],
        },
        "registered_resources": {"models": [model]},
    }


def main() -> None:
    parser = in_chats.arguments(__doc__)
    parser.add_argument("--provider", default="inline::chromadb", help="of vector_io")
    parser.add_argument("--chunks", type=int, default=100_000, help="of the store whose searches are timed")
    parser.add_argument("--files", type=int, default=100, help="that are ingested in a round")
    options = parser.parse_args()
    with in_chats.bench() as bench:
        ours = bench.serve(**run_config(bench.upstream, options.provider))
        client = bench.stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{ours.port}", timeout=_LIMIT_S))
        stores = Stores(client, ours)
        few, many = stores.filled(_FEW), stores.filled(options.chunks)
        subjects: dict[str, Callable[[], float]] = {
            "an embedding": lambda: cpu_us(ours, 1000, _EMBEDDED),
            **{f"search of {_FEW}, {mode}": partial(cpu_us, ours, 300, _search(few, mode)) for mode in _MODES},
            "ingestion of a file": lambda: stores.ingested(options.files).cpu_us,
        }
        bench.compare(subjects, _BUDGETS, rounds=options.rounds, about=f"`{options.provider}`; ")
        rows = [(f"search, {mode}", *_percentiles(stores.search_ms(many, mode))) for mode in _MODES]
        rows.append(("an embedding", *_percentiles(stores.timed_ms("/v1/embeddings", lambda _: _EMBEDDED.body))))
        print("\n" + measure.table((f"ms, {options.chunks} chunks", "p50", "p95"), rows))


def _search(store: str, mode: str, query: str = "word40 word70 word1000 word9000") -> load.Work:
    return load.Work(path=f"/v1/vector_stores/{store}/search", body={"query": query, "search_mode": mode})


@dataclass(frozen=True)
class Ingested:
    """What a file took: microseconds of the server's CPU, and milliseconds of the clock while there were others."""

    cpu_us: float
    wall_ms: float


class Stores:
    """Vector stores of a server, over one connection."""

    def __init__(self, client: httpx.Client, server: Server) -> None:
        self._client = client
        self._server = server
        self._language = Language()
        self._ingesting = self._made()

    def filled(self, chunks: int) -> str:
        """The id of a new store with so many chunks."""
        measure.say(f"inserting {chunks} chunks")
        store, began, cpu = self._made(), time.perf_counter(), measure.threads_cpu_s(self._server.pid)
        for first in range(0, chunks, _AT_ONCE):
            inserted = [self._chunk(store, number) for number in range(first, first + _AT_ONCE)]
            self._asked("POST", "/v1/vector-io/insert", json={"vector_store_id": store, "chunks": inserted})
        took, cpu = time.perf_counter() - began, measure.threads_cpu_s(self._server.pid) - cpu
        print(f"{chunks} chunks inserted: {took * 1000 / chunks:.2f} ms each, {cpu * 1000 / chunks:.2f} ms of CPU")
        return store

    def ingested(self, files: int) -> Ingested:
        """What each of new files took, which one batch attaches."""
        uploaded = [self._uploaded(" ".join(self._language.words(_FILE_WORDS))) for _ in range(files)]
        began, before = time.perf_counter(), measure.tree_cpu_s(self._server.pid)  # a process that reads may end
        place = f"/v1/vector_stores/{self._ingesting}/file_batches"
        batch = self._asked("POST", place, json={"file_ids": uploaded})
        until = time.monotonic() + _LIMIT_S
        while batch["status"] == "in_progress" and time.monotonic() < until:
            measure.pause(0.1)
            batch = self._asked("GET", f"{place}/{batch['id']}")
        if batch["file_counts"]["completed"] != files:
            raise RuntimeError(f"not all files were ingested: {batch}")
        took, cpu = time.perf_counter() - began, measure.tree_cpu_s(self._server.pid) - before
        return Ingested(cpu * 1e6 / files, took * 1000 / files)

    def search_ms(self, store: str, mode: str) -> list[float]:
        work = _search(store, mode)

        def body(draw: random.Random) -> dict[str, Any]:
            return {**(work.body or {}), "query": " ".join(question(draw, 4))}

        return self.timed_ms(work.path, body)

    def timed_ms(self, path: str, body: Callable[[random.Random], dict[str, Any] | None]) -> list[float]:
        """How long requests take, one after the other."""
        draw, took = random.Random(2), []
        for _ in range(200):
            content = body(draw)
            began = time.perf_counter()
            self._asked("POST", path, json=content)
            took.append((time.perf_counter() - began) * 1000)
        return took

    def _made(self) -> str:
        return str(self._asked("POST", "/v1/vector_stores", json={"embedding_model": "openai/embed"})["id"])

    def _chunk(self, store: str, number: int) -> dict[str, Any]:
        text = " ".join(self._language.words(_CHUNK_WORDS))
        vector = np.frombuffer(vector_of(f"{store}{number}"), "<f4").tolist()
        return {"content": text, "embedding": vector, "metadata": {"document_id": f"d{number // _PER_DOCUMENT}"}}

    def _uploaded(self, text: str) -> str:
        form = {"files": {"file": ("a.txt", text)}, "data": {"purpose": "assistants"}}
        return str(self._asked("POST", "/v1/files", **form)["id"])

    def _asked(self, method: str, path: str, **content: Any) -> Any:
        answer = self._client.request(method, path, **content)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None


def _percentiles(values: Sequence[float]) -> Iterator[str]:
    return (f"{value:.1f}" for value in np.percentile(values, (50, 95)))


if __name__ == "__main__":
    main()
