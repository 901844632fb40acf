"""Whether our reranking model finds what vector search and keyword search leave further down.

Run: `.venv/bin/python -m scripts.bench.retrieval.reranking [--tokens N] [--overlap N] [--top N]`. Documents of this
Python are cut into chunks, and questions with known answers are asked (`questions.toml`): of the vectors, of the index
of words (BM25), of both (reciprocal rank fusion, Cormack et al. 2009), and then with the first `--top` of each in the
order that reranking gives. All of it is in this process. A difference of less than 0.05 may be chance.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.documents.chunking import Sizes
from scripts.bench.measure import machine, table
from scripts.bench.retrieval.oracle import Oracle, chunked, embedded, fused, minilm
from scripts.bench.retrieval.quality import Question, figures, questions

_PARAPHRASES = "paraphrase"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=200, help="of a chunk at most")
    parser.add_argument("--overlap", type=int, default=0, help="tokens that a chunk has in common with the next")
    parser.add_argument("--top", type=int, default=20, help="how many are reranked")
    options = parser.parse_args()
    chunks = [chunk.text for chunk in chunked(Sizes(max_tokens=options.tokens, overlap_tokens=options.overlap))]
    asked = questions(chunks)
    print(machine())
    print(f"{len(chunks)} chunks, {len(asked)} questions, the first {options.top} reranked\n")
    asyncio.run(_compare(chunks, asked, options.top))


async def _compare(chunks: Sequence[str], asked: Sequence[Question], top: int) -> None:
    async with minilm() as embedder:
        oracle = Oracle(await embedded(embedder, chunks), chunks)
        vectors = await embedded(embedder, [question.ask for question in asked])
        searched = _searched(oracle, vectors, asked)
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
    rows = {**searched, **{f"{name}, reranked": rankings for name, rankings in reranked.items()}}
    found = {name: figures(asked, rankings) for name, rankings in rows.items()}
    kinds = list(next(iter(found.values())))
    lines = ([name, *(str(by_kind[kind]) for kind in kinds)] for name, by_kind in found.items())
    print(table(["recall@5, MRR, nDCG@10", *kinds], lines))
    print(f"\na chunk takes {took_ms:.1f} ms of CPU to rerank")
    before, after = found["vectors"][_PARAPHRASES], found["vectors, reranked"][_PARAPHRASES]
    lifts = after.recall > before.recall and after.mrr > before.mrr
    print(f"paraphrases are lifted over the vectors alone: {'yes' if lifts else 'NO'}")


def _searched(oracle: Oracle, vectors: NDArray[np.float32], asked: Sequence[Question]) -> dict[str, list[list[int]]]:
    """For each way to search, each question's chunks, the best first."""
    by_vectors = [oracle.by_vector(vector) for vector in vectors]
    by_words = [oracle.by_words(question.ask) for question in asked]
    by_both = [fused(pair) for pair in zip(by_vectors, by_words, strict=True)]
    return {"vectors": by_vectors, "words": by_words, "both": by_both}


if __name__ == "__main__":
    main()
