"""One reranker in memory: what the pool loads and unloads. Knows no requests."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from runtime.providers.inference.transformers.scoring import Scorer

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """See `_ranking.Ranked`."""

    scores: list[float]
    total_tokens: int
    query_tokens: int
    query_read: int
    documents_cut: tuple[int, ...]


class RerankerRunner:
    """A model, and a thread that computes with it between `load` and `unload`. make: loads it; takes seconds."""

    progress: float | None = None
    works = True

    def __init__(self, name: str, folder: Path, make: Callable[[], Scorer]) -> None:
        self._name = name
        self._make = make
        self._size_bytes = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reranker")
        self._scorer: Scorer | None = None
        self._waiting = 0

    async def load(self, *, may_shrink: bool) -> None:
        """Load it; it takes the same memory in any case. Raises Unavailable."""
        try:
            self._scorer = await self._run(self._make)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def unload(self) -> None:
        self._scorer = None
        await self._run(_give_back)
        self._thread.shutdown(wait=False)

    @property
    def max_tokens(self) -> int:
        """Of a query with a document."""
        return self._loaded.most

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    async def rank(self, query: str, documents: Sequence[str], *, max_tokens: int | None) -> Ranking:
        """Score documents, a batch at a time: others' batches come between. Raises RequestError for a query that is too
        long.
        """
        scorer = self._loaded
        self._waiting += len(documents)
        try:
            asked = await self._run(partial(scorer.query_tokens, query))
            most = None if max_tokens is None else asked + max_tokens
            read = await self._run(partial(scorer.read, query, documents, most))
            scores = [0.0] * len(read)
            for batch in scorer.batches(read):
                found = await self._run(partial(scorer.scores, [one for _, one in batch]))
                for (place, _), score in zip(batch, found, strict=True):
                    scores[place] = score
        finally:
            self._waiting -= len(documents)
        return Ranking(
            scores=scores,
            total_tokens=sum(len(one.tokens) for one in read),
            query_tokens=asked,
            query_read=asked,
            documents_cut=tuple(place for place, one in enumerate(read) if one.is_cut),
        )

    def facts(self) -> dict[str, Any]:
        return {"max_tokens": self.max_tokens}

    def condition(self) -> str:
        return f"{self._name}: {self._waiting} documents to work on"

    def figures(self) -> dict[str, float]:
        return {}

    @property
    def _loaded(self) -> Scorer:
        assert self._scorer is not None, "a lease keeps it loaded"
        return self._scorer

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _give_back() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
