"""What the next step computes: continuous batching under one token budget. Knows counts and pages; no tensors.

A step is filled in this order: one token for every sequence that is decoding, oldest first; then chunks of prompts,
oldest first; then waiting sequences while there is room. A sequence gets the pages for all its tokens when it starts.
If a decoding sequence later finds no free page, the youngest running one gives up its pages and waits at the front to
be computed again; so the oldest always advances. Iteration-level scheduling: Yu et al. 2022 (Orca), section 3;
chunked prefill: Agrawal et al. 2024 (Sarathi-Serve), section 4.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from runtime.engine.block_manager import BlockManager
from runtime.engine.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next `count` uncomputed tokens of one sequence. samples: whether they include its last token."""

    sequence: Sequence
    count: int
    samples: bool


class Scheduler:
    """max_batch_size: sequences running at once. max_step_tokens: tokens of one step.

    Raises ValueError where `max_step_tokens` is below `max_batch_size`.
    """

    def __init__(self, blocks: BlockManager, *, max_batch_size: int, max_step_tokens: int) -> None:
        if max_step_tokens < max_batch_size:
            raise ValueError("a step must have room for one token of every running sequence")
        self.blocks = blocks
        self.max_batch_size = max_batch_size
        self.max_step_tokens = max_step_tokens
        self.running: list[Sequence] = []
        self.waiting: deque[Sequence] = deque()
        self.preemptions = 0
        self._by_id: dict[int, Sequence] = {}

    @property
    def has_work(self) -> bool:
        return bool(self._by_id)

    def add(self, sequence: Sequence) -> None:
        self._by_id[sequence.id] = sequence
        self.waiting.append(sequence)

    def schedule(self) -> list[Chunk]:
        """The chunks of the next step; at least one while there is work."""
        chunks: list[Chunk] = []
        budget = self.max_step_tokens
        for sequence in [sequence for sequence in self.running if sequence.pending == 1]:
            if self._make_room(sequence):
                chunks.append(Chunk(sequence, 1, samples=True))
                budget -= 1
        for sequence in self.running:
            if budget and sequence.pending > 1:
                budget -= self._take_chunk(sequence, budget, chunks)
        while budget and self.waiting and len(self.running) < self.max_batch_size:
            sequence = self.waiting[0]
            wanted = self.blocks.pages_for(len(sequence.tokens))
            if wanted > self.blocks.free:
                break
            self.waiting.popleft()
            sequence.pages = self.blocks.allocate(wanted)
            self.running.append(sequence)
            budget -= self._take_chunk(sequence, budget, chunks)
        return chunks

    def remove(self, sequence_id: int) -> Sequence | None:
        """Remove a sequence, running or waiting, and free its pages. Returns it; None for an unknown id."""
        sequence = self._by_id.pop(sequence_id, None)
        if sequence is None:
            return None
        if sequence in self.running:
            self.running.remove(sequence)
        else:
            self.waiting.remove(sequence)
        self._free(sequence)
        return sequence

    def ids(self) -> list[int]:
        """The ids of all sequences, running and waiting."""
        return list(self._by_id)

    def _take_chunk(self, sequence: Sequence, budget: int, chunks: list[Chunk]) -> int:
        count = min(sequence.pending, budget)
        chunks.append(Chunk(sequence, count, samples=count == sequence.pending))
        return count

    def _make_room(self, sequence: Sequence) -> bool:
        """Give the sequence a page for its next token; False where it was preempted, now or earlier in this step."""
        while sequence.pages:
            if len(sequence.pages) >= self.blocks.pages_for(len(sequence.tokens)):
                return True
            if self.blocks.free:
                sequence.pages += self.blocks.allocate(1)
            else:
                self._preempt(self.running[-1])
        return False

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._free(sequence)
        sequence.computed = 0
        self.waiting.appendleft(sequence)
        self.preemptions += 1

    def _free(self, sequence: Sequence) -> None:
        self.blocks.release(sequence.pages)
        sequence.pages = []
