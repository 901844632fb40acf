"""What was looked up, kept for the next time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

MOST = 2000
K = TypeVar("K", bound=Hashable)
F = TypeVar("F")


class Found(dict[K, F]):
    """What was looked up for a key, so that it is one look for all that follows from it. Forgets what is too much.

    find: looks it up.
    """

    def __init__(self, find: Callable[[K], F]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: K) -> F:
        if len(self) >= MOST:
            self.clear()
        found = self[key] = self._find(key)
        return found
