"""Texts of words that are as frequent as in a language: the word of rank n occurs 1/n as often as the first (Zipf)."""

from __future__ import annotations

import random

import numpy as np

WORDS = 200_000


class Language:
    """`word1` is the most frequent word. The same texts come in the same order each time."""

    def __init__(self) -> None:
        ranks = np.arange(1, WORDS + 1)
        self._bounds = np.cumsum(1 / ranks)
        self._names = [f"word{rank}" for rank in ranks]
        self._drawn = np.random.default_rng(1)

    def words(self, count: int) -> list[str]:
        """A text of so many words."""
        places = np.searchsorted(self._bounds, self._drawn.random(count) * self._bounds[-1])
        return [self._names[at] for at in places.tolist()]


def question(draw: random.Random, count: int, *, least: int = 30, most: int = WORDS) -> list[str]:
    """Words to search for: of these ranks, frequent ones more often."""
    return [f"word{int(least * (most / least) ** draw.random())}" for _ in range(count)]
