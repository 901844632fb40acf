"""Which pages of the KV cache are free, how often each of the others is held, and which have a known content. Knows
page numbers and keys (`prefix_keys.py`); no tokens.

A page has a count of holders, not one owner: a prefix that two sequences share is one page held twice. A full page gets
a key once it is computed, and is never written again while it has one; so do beginnings of a page, which others copy,
since whoever holds it writes on behind them. Without holders it is free and keeps its content until the page is needed:

    free <-> held -> held, with keys <-> free, with keys -> free

Page 0 is never given out; it pads block tables. Paged KV caches: Kwon et al. 2023 (vLLM), section 4.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence


class BlockManager:
    """pages: size of the pool, page 0 included. page_size: tokens that fit on a page. max_kept: free pages that keep
    their content, at most; None for all.
    """

    def __init__(self, pages: int, page_size: int, *, max_kept: int | None = None) -> None:
        self.page_size = page_size
        self.total = pages - 1
        self.touched = 0  # pages that were ever held, and so were written: the first ones
        self._max_kept = self.total if max_kept is None else max_kept
        # A heap, lowest pages first: a sequence that is alone gets neighbouring pages, which attention reads in place,
        # and main memory is taken only for as many pages as were ever needed at once.
        self._blank = list(range(1, pages))
        self._kept: OrderedDict[int, None] = OrderedDict()  # free pages with keys, least recently used first
        self._holders = [0] * pages
        self._keys: dict[int, bytes] = {}
        self._pages: dict[bytes, int] = {}
        self._parts: dict[bytes, int] = {}
        self._keys_of_parts: dict[int, list[bytes]] = {}

    @property
    def free(self) -> int:
        """Pages that can be given out, those that keep their content included."""
        return len(self._blank) + len(self._kept)

    @property
    def kept(self) -> int:
        """Free pages that keep their content."""
        return len(self._kept)

    @property
    def used(self) -> int:
        return self.total - self.free

    def pages_for(self, tokens: int) -> int:
        """How many pages `tokens` tokens need; the last may be partly filled."""
        return -(-tokens // self.page_size)

    def allocate(self, count: int) -> list[int]:
        """`count` pages, each held once, lowest first. Content is given up only where no other page is free, and the
        least recently used first. Raises ValueError where fewer are free: callers check first.
        """
        if count > self.free:
            raise ValueError(f"{count} pages wanted, {self.free} free")
        while len(self._blank) < count:
            self._give_up_oldest()
        pages = [heapq.heappop(self._blank) for _ in range(count)]
        for page in pages:
            self._holders[page] = 1
            self.touched = max(self.touched, page)
        return pages

    def find(self, keys: Sequence[bytes]) -> list[int]:
        """The pages with the content of `keys`, up to the first key that no page has. They are not held yet."""
        found = []
        for key in keys:
            if (page := self._pages.get(key)) is None:
                break
            found.append(page)
        return found

    def find_part(self, keys: Sequence[bytes]) -> tuple[int, int] | None:
        """The page that has the longest of some beginnings of one page, shortest first, and which of them. It is not
        held yet. None where no page has any.
        """
        for number in reversed(range(len(keys))):
            if (page := self._parts.get(keys[number])) is not None:
                return page, number
        return None

    def free_among(self, pages: Iterable[int]) -> int:
        """How many of these pages nobody holds: sharing them leaves so many fewer free."""
        return sum(not self._holders[page] for page in pages)

    def share(self, pages: Iterable[int]) -> None:
        """Hold pages once more. Raises ValueError for one without holders and without content."""
        for page in pages:
            if not self._holders[page] and page not in self._kept:
                raise ValueError(f"page {page} is free and cannot be shared")
            self._kept.pop(page, None)
            self._holders[page] += 1

    def release(self, pages: Sequence[int]) -> None:
        """Hold pages once less; those that nobody holds are free again. pages: in the order of their tokens; the last
        one gives up its content first, since those before it are of use without it. Raises ValueError for a page that
        is free.
        """
        for page in reversed(pages):
            if not self._holders[page]:
                raise ValueError(f"page {page} is already free")
            self._holders[page] -= 1
            if self._holders[page]:
                continue
            if page in self._keys or page in self._keys_of_parts:
                self._kept[page] = None
            else:
                heapq.heappush(self._blank, page)
        while len(self._kept) > self._max_kept:
            self._give_up_oldest()

    def remember(self, page: int, key: bytes) -> None:
        """Let a held page, whose content is complete, be found by its key. A key that another page has stays there."""
        if key not in self._pages:
            self._keys[page] = key
            self._pages[key] = page

    def remember_parts(self, page: int, keys: Iterable[bytes]) -> None:
        """Let beginnings of a held page, which are complete, be found. A key that another page has stays there."""
        for key in keys:
            if self._parts.setdefault(key, page) == page:
                of_page = self._keys_of_parts.setdefault(page, [])
                if key not in of_page:
                    of_page.append(key)

    def forget(self, pages: Iterable[int]) -> None:
        """Let held pages be found no more: their content is not to be trusted."""
        for page in pages:
            self._forget(page)

    def _forget(self, page: int) -> None:
        if (key := self._keys.pop(page, None)) is not None:
            del self._pages[key]
        for part in self._keys_of_parts.pop(page, ()):
            del self._parts[part]

    def _give_up_oldest(self) -> None:
        page, _ = self._kept.popitem(last=False)
        self._forget(page)
        heapq.heappush(self._blank, page)
