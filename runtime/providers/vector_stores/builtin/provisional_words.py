"""Stands for the word index until that is in the storage."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence


class WordIndex:
    def __init__(self) -> None:
        self._kept: defaultdict[int, dict[int, Counter[str]]] = defaultdict(dict)

    async def put(self, collection: int, entries: Sequence[tuple[int, Sequence[str]]]) -> None:
        for number, words in entries:
            self._kept[collection][number] = Counter(words)

    async def remove(self, collection: int, ranges: Sequence[range]) -> None:
        for one in ranges:
            for number in [number for number in self._kept[collection] if number in one]:
                del self._kept[collection][number]

    async def drop(self, collection: int) -> None:
        self._kept.pop(collection, None)

    async def count(self, collection: int) -> int:
        return len(self._kept[collection])

    async def search(
        self, collection: int, words: Sequence[str], *, limit: int, groups: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        texts = self._kept[collection]
        wanted = None if groups is None else set(groups)
        count = len(texts) or 1
        average = sum(map(Counter.total, texts.values())) / count
        having = {word: sum(word in text for text in texts.values()) for word in words}
        found = []
        for number, text in texts.items():
            if wanted is not None and (number >> 20) not in wanted:
                continue
            score = 0.0
            for word in words:
                if word in text:
                    weight = math.log(1 + (count - having[word] + 0.5) / (having[word] + 0.5))
                    score += weight * text[word] * 2.2 / (text[word] + 1.2 * (0.25 + 0.75 * text.total() / average))
            if score:
                found.append((number, score))
        return sorted(found, key=lambda one: (-one[1], one[0]))[:limit]
