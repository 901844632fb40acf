"""Which pages of the KV cache are free and who holds the others. Knows page numbers; not what is on them.

Pages are counted, not owned: a prefix that two sequences share is one page held twice. Page 0 is never given out, it
pads block tables.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class BlockManager:
    """pages: size of the pool with page 0. page_size: tokens a page holds."""

    def __init__(self, pages: int, page_size: int) -> None:
        self.page_size = page_size
        self.total = pages - 1
        # A heap: the lowest pages first, so that a sequence alone gets neighbours, which attention reads in place.
        self._free = list(range(1, pages))
        self._holders = [0] * pages

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def used(self) -> int:
        return self.total - len(self._free)

    def pages_for(self, tokens: int) -> int:
        """Pages that so many tokens fill or begin."""
        return -(-tokens // self.page_size)

    def allocate(self, count: int) -> list[int]:
        """`count` pages held once. Raises ValueError where fewer are free: callers look first."""
        if count > len(self._free):
            raise ValueError(f"{count} pages wanted, {len(self._free)} free")
        pages = [heapq.heappop(self._free) for _ in range(count)]
        for page in pages:
            self._holders[page] = 1
        return pages

    def share(self, pages: Iterable[int]) -> None:
        """Hold pages once more."""
        for page in pages:
            if not self._holders[page]:
                raise ValueError(f"page {page} is free and cannot be shared")
            self._holders[page] += 1

    def release(self, pages: Iterable[int]) -> None:
        """Hold pages once less; those held by nobody are free again."""
        for page in pages:
            if not self._holders[page]:
                raise ValueError(f"page {page} is already free")
            self._holders[page] -= 1
            if not self._holders[page]:
                heapq.heappush(self._free, page)
