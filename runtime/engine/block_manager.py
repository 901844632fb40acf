"""Which pages of the KV cache are free, and how often each of the others is held. Knows page numbers; not what is on
them.

A page has a count of holders, not one owner: a prefix that two sequences share is one page held twice. Page 0 is never
given out; it pads block tables. Paged KV caches: Kwon et al. 2023 (vLLM), section 4.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class BlockManager:
    """pages: size of the pool, page 0 included. page_size: tokens that fit on a page."""

    def __init__(self, pages: int, page_size: int) -> None:
        self.page_size = page_size
        self.total = pages - 1
        # A heap, lowest pages first: a sequence that is alone gets neighbouring pages, which attention reads in place.
        self._free = list(range(1, pages))
        self._holders = [0] * pages

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def used(self) -> int:
        return self.total - len(self._free)

    def pages_for(self, tokens: int) -> int:
        """How many pages `tokens` tokens need; the last may be partly filled."""
        return -(-tokens // self.page_size)

    def allocate(self, count: int) -> list[int]:
        """`count` pages, each held once. Raises ValueError where fewer are free: callers check first."""
        if count > len(self._free):
            raise ValueError(f"{count} pages wanted, {len(self._free)} free")
        pages = [heapq.heappop(self._free) for _ in range(count)]
        for page in pages:
            self._holders[page] = 1
        return pages

    def share(self, pages: Iterable[int]) -> None:
        """Hold pages once more. Raises ValueError for a page that is free."""
        for page in pages:
            if not self._holders[page]:
                raise ValueError(f"page {page} is free and cannot be shared")
            self._holders[page] += 1

    def release(self, pages: Iterable[int]) -> None:
        """Hold pages once less; those that nobody holds are free again. Raises ValueError for a page that is free."""
        for page in pages:
            if not self._holders[page]:
                raise ValueError(f"page {page} is already free")
            self._holders[page] -= 1
            if not self._holders[page]:
                heapq.heappush(self._free, page)
