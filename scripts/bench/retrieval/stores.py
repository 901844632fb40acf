"""How well vector stores find what answers a question, over each vector database in this process or beside it.

Run: `.venv/bin/python -m scripts.bench.retrieval.stores [--providers faiss ...] [--rerank N]`. Documents of this Python
are cut into chunks and inserted into a store of each provider, and questions with known answers are asked
(`questions.toml`), 10 hits each: by vector, by words, by both. Beside it what is found by comparing every chunk
(`oracle.py`), and how many of the searches find the same. Then searches with filters: each must find just what is the
best of what the filter leaves. Reranking is slow and the same over every provider: the first one does it.
A difference of less than 0.05 may be chance.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from runtime.documents.chunking import Sizes
from scripts.bench import environments, measure, servers
from scripts.bench.retrieval.filtering import FILTERS, attributes_of
from scripts.bench.retrieval.oracle import Oracle, SourceChunk, chunked, embedded, fused, minilm
from scripts.bench.retrieval.quality import Question, figures, questions

_PROVIDERS = ("chromadb", "faiss", "sqlite-vec", "qdrant", "duckdb", "milvus")
_MODEL, _RERANKER = "st/all-MiniLM-L6-v2", "st/all-MiniLM-L6-v2-maxsim"
_MODES = ("vector", "keyword", "hybrid")
_HITS, _CANDIDATES, _AT_ONCE, _LIMIT_S = 10, 50, 500, 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--providers", nargs="+", default=_PROVIDERS, choices=_PROVIDERS)
    parser.add_argument("--tokens", type=int, default=200, help="of a chunk at most")
    parser.add_argument("--overlap", type=int, default=0, help="tokens that a chunk has in common with the next")
    parser.add_argument("--rerank", nargs="*", default=_MODES, choices=_MODES, help="which searches are reranked too")
    options = parser.parse_args()
    chunks = chunked(Sizes(max_tokens=options.tokens, overlap_tokens=options.overlap))
    texts = [chunk.text for chunk in chunks]
    asked = questions(texts)
    print(f"{measure.machine()}\n{len(chunks)} chunks, {len(asked)} questions\n")
    vectors, of_questions = asyncio.run(_vectors(texts, [question.ask for question in asked]))
    expected = _Expected(Oracle(vectors, texts), of_questions, asked)
    with ExitStack() as stack:
        folder = stack.enter_context(environments.scratch())
        ours = stack.enter_context(servers.of_this_tree(folder, _providers(options.providers)))
        ours.wait_for(f"/v1/models/{_MODEL}")
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{ours.port}/v1", timeout=_LIMIT_S))
        rankings = {f"oracle, {mode}": [expected.found(mode, at) for at in range(len(asked))] for mode in _MODES}
        same: dict[str, str] = {}
        for provider in options.providers:
            measure.say(provider)
            store = _Store(client, provider, chunks, vectors)
            for mode in _MODES:
                found = [store.found(question.ask, mode) for question in asked]
                rankings[f"{provider}, {mode}"] = found
                like = sum(map(_alike, found, rankings[f"oracle, {mode}"]))
                same[f"{provider}, {mode}"] = f"{like} of {len(asked)}"
            if provider == options.providers[0]:
                for mode, ranking in (
                    ("hybrid", "weighted"),
                    ("hybrid", "normalized"),
                    *((m, _RERANKER) for m in options.rerank),
                ):
                    measure.say(f"{mode}, {ranking}")
                    rankings[f"{provider}, {mode}, {ranking.rpartition('-')[2]}"] = [
                        store.found(question.ask, mode, ranking) for question in asked
                    ]
            same[f"{provider}, filters"] = ", ".join(f"{mode} {_filtered(store, expected, mode)}" for mode in _MODES)
    _show(asked, rankings, same)


@dataclass(frozen=True)
class _Expected:
    """What a search has to find. vectors: [questions, dimension]."""

    oracle: Oracle
    vectors: NDArray[np.float32]
    asked: Sequence[Question]

    def found(self, mode: str, at: int, among: Collection[int] | None = None) -> list[int]:
        """The first chunks for a question, of all or among some."""
        by_vector = self.oracle.by_vector(self.vectors[at], among)[:_CANDIDATES]
        by_words = self.oracle.by_words(self.asked[at].ask, among)[:_CANDIDATES]
        ranking = {"vector": by_vector, "keyword": by_words, "hybrid": fused([by_vector, by_words])}[mode]
        return ranking[:_HITS]


class _Store:
    """A new vector store with all chunks, and with the attributes of their documents."""

    def __init__(
        self, client: httpx.Client, provider: str, chunks: Sequence[SourceChunk], vectors: NDArray[np.float32]
    ) -> None:
        self._client = client
        self._id = self._asked("/vector_stores", {"embedding_model": _MODEL, "provider_id": provider})["id"]
        self.attributes = [dict(one) for one in _attributes(chunks)]
        inserted = [
            {"content": chunk.text, "chunk_id": str(at), "embedding": vectors[at].tolist(),
             "metadata": {"document_id": chunk.source, **self.attributes[at]}}
            for at, chunk in enumerate(chunks)
        ]  # fmt: skip
        for at in range(0, len(inserted), _AT_ONCE):
            self._asked("/vector-io/insert", {"vector_store_id": self._id, "chunks": inserted[at : at + _AT_ONCE]})

    def found(
        self, question: str, mode: str, ranking: str | None = None, *, filters: Mapping[str, Any] | None = None
    ) -> list[int]:
        """The hits, best first. ranking: how both searches are fused, or a reranking model."""
        options = {"model": ranking} if ranking and "/" in ranking else {"ranker": ranking or "none"}
        body = {"query": question, "search_mode": mode, "max_num_results": _HITS, "ranking_options": options}
        if filters:
            body["filters"] = filters
        found = self._asked(f"/vector_stores/{self._id}/search", body)["data"]
        return [int(hit["content"][0]["chunk_id"]) for hit in found]

    def _asked(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = self._client.post(path, json=body)
        if answer.is_error:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None


def _filtered(store: _Store, expected: _Expected, mode: str) -> str:
    """Each filter with two questions."""
    right = 0
    for at in range(2 * len(FILTERS)):
        filters, test = FILTERS[at // 2]
        among = {place for place, attributes in enumerate(store.attributes) if test(attributes)}
        found = store.found(expected.asked[at].ask, mode, filters=filters)
        right += _alike(found, expected.found(mode, at, among))
    return f"{right} of {2 * len(FILTERS)}"


def _alike(found: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether they have the same chunks, up to one at the end, which may be as good as another."""
    return len(found) == len(expected) and len(set(found) & set(expected)) >= len(expected) - (len(expected) == _HITS)


def _attributes(chunks: Sequence[SourceChunk]) -> list[Mapping[str, Any]]:
    counts = Counter(chunk.source for chunk in chunks)
    return [attributes_of(chunk.source, counts[chunk.source]) for chunk in chunks]


def _show(asked: Sequence[Question], rankings: Mapping[str, Sequence[Sequence[int]]], same: Mapping[str, str]) -> None:
    found = {name: figures(asked, of_each) for name, of_each in rankings.items()}
    kinds = list(next(iter(found.values())))
    rows = ([name, *(str(by_kind[kind]) for kind in kinds), same.get(name, "")] for name, by_kind in found.items())
    print(measure.table(["recall@5, MRR@10, nDCG@10", *kinds, "as the oracle"], rows), end="\n\n")
    right = [[name.partition(",")[0], words] for name, words in same.items() if name.endswith(", filters")]
    print(measure.table(["searches with filters", "that find just what they have to"], right))


async def _vectors(texts: Sequence[str], asked: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    async with minilm() as embedder:
        return await embedded(embedder, texts), await embedded(embedder, asked)


def _providers(providers: Sequence[str]) -> dict[str, Any]:
    kept = [{"provider_id": name, "provider_type": f"inline::{name}"} for name in providers]
    embeds = {"provider_id": "st", "provider_type": "inline::sentence-transformers"}
    return {"inference": [embeds], "vector_io": kept}


if __name__ == "__main__":
    main()
