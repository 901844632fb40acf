"""What others have computed of a sequence's first tokens: whole pages, which are shared, and the beginning of one more,
which is copied, since the page may go on with other tokens. Knows keys and pages; no tensors.
"""

from __future__ import annotations

from runtime.engine.scheduling.block_manager import BlockManager
from runtime.engine.scheduling.prefix_keys import extend_keys, part_keys, part_tokens
from runtime.engine.scheduling.sequence import Sequence


class Prefixes:
    """blocks: whose pages have the keys."""

    def __init__(self, blocks: BlockManager) -> None:
        self._blocks = blocks
        self._page_size = blocks.page_size
        self._part = part_tokens(blocks.page_size)

    def find(self, sequence: Sequence) -> list[int]:
        """The pages that have its first tokens already. They are not held yet."""
        extend_keys(sequence.keys, sequence.tokens, self._page_size, sequence.salt)
        return self._blocks.find(sequence.keys[: sequence.reusable // self._page_size])

    def remember(self, sequence: Sequence, before: int) -> None:
        """Let what is computed of a sequence be found. before: as many tokens were computed when this was last done."""
        if sequence.computed // self._part == before // self._part:
            return
        extend_keys(sequence.keys, sequence.tokens, self._page_size, sequence.salt)
        for page in range(before // self._page_size, -(-sequence.computed // self._page_size)):
            self._blocks.remember_parts(sequence.pages[page], self._parts(sequence, page, sequence.computed))
            if (page + 1) * self._page_size <= sequence.computed:
                self._blocks.remember(sequence.pages[page], sequence.keys[page])

    def take_source(self, sequence: Sequence, found: list[int], missing: int) -> int:
        """Hold the page that has the most of its tokens after the `found` pages. Returns how many these are; 0 where
        there is none, or where the pages that are `missing` would then not be free.
        """
        part = self._blocks.find_part(self._parts(sequence, len(found), sequence.reusable))
        if part is None or self._blocks.free - self._blocks.free_among([part[0]]) < missing:
            return 0
        sequence.source, number = part
        self._blocks.share([sequence.source])
        return (number + 1) * self._part

    def release_source(self, sequence: Sequence) -> None:
        """Hold no page to be copied any more: it has been, or will not be."""
        if sequence.source is not None:
            self._blocks.release([sequence.source])
            sequence.source = None

    def _parts(self, sequence: Sequence, page: int, end: int) -> list[bytes]:
        return part_keys(sequence.keys, sequence.tokens, page, end, page_size=self._page_size, salt=sequence.salt)
