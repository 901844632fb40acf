"""Decode steps as CUDA graphs: the hundreds of launches of a step are recorded once and replayed with one.

A graph has fixed shapes and addresses. So there is one for each of a few batch sizes, all of which read the same static
buffers; a batch takes the next larger graph, and the rows that it lacks compute token 0 on page 0, which belongs to no
sequence. Knows tokens, spans and buffers; how a step is recorded, and what it computes, is passed in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from runtime.engine.layers.attention import Span, slots_of
from runtime.engine.layers.varlen import VarlenKernel, VarlenPlan, block_table
from runtime.engine.memory.device_copy import pinned

DecodeStep = Callable[[Tensor, Tensor, VarlenPlan], tuple[Tensor, Tensor]]
"""tokens, positions ([rows], int64) and a plan, to (hidden [rows, hidden_size], logits [rows, vocab_size])."""
Replay = Callable[[], None]
"""A step from static buffers to static buffers."""
Record = Callable[[Replay], Replay]
"""Runs a step, and gives what repeats it."""


def graph_sizes(most_rows: int) -> list[int]:
    """1, 2, 4, 8, 16, and from there every 16 rows, to `most_rows`: small batches are padded by less than half."""
    sizes = [size for size in (1, 2, 4, 8, *range(16, most_rows, 16)) if size < most_rows]
    return [*sizes, most_rows]


class DecodeGraphs:
    """For one device and thread. captures, replays: since the start."""

    def __init__(
        self,
        step: DecodeStep,
        kernel: VarlenKernel,
        results: tuple[Tensor, Tensor],
        *,
        page_size: int,
        context_tokens: int,
        device: torch.device,
    ) -> None:
        """Allocates the buffers. step: from tokens and positions, [rows], int64, to hidden states, [rows, hidden_size],
        working dtype, and logits, [rows, vocab_size], float32. results: where all graphs put these, for as many rows as
        a step may have. context_tokens: the longest sequence.
        """
        most_rows = len(results[0])
        self._step, self._kernel, self._results = step, kernel, results
        self._page_size, self._device = page_size, device
        self._longest = -(-context_tokens // page_size) * page_size
        self.sizes = graph_sizes(most_rows)
        # A row: token, position, slot, length. Rows that no batch has written yet compute as padding does.
        self._rows = torch.tensor([[0, 0, 0, 1]] * most_rows, device=device)
        self._table = torch.zeros(most_rows, self._longest // page_size, dtype=torch.int32, device=device)
        self._starts = torch.arange(most_rows + 1, dtype=torch.int32, device=device)
        self._replays: dict[int, Replay] = {}
        self.captures = self.replays = 0

    def capture(self, record: Record) -> None:
        """Record all sizes, the largest first: smaller graphs then fit in the memory that it leaves behind."""
        for size in reversed(self.sizes):
            self._replays[size] = record(partial(self._compute, size))
            self.captures += 1

    def takes(self, spans: Sequence[Span]) -> bool:
        """Whether a graph computes these: one token each, and no more than the largest has rows."""
        return len(spans) <= self.sizes[-1] and all(span.count == 1 for span in spans)

    def run(self, tokens: Sequence[int] | Tensor, spans: Sequence[Span]) -> tuple[Tensor, Tensor]:
        """Compute a token of each span. tokens: numbers, or [rows], int64, on the device.

        Returns hidden states, [rows, hidden_size], working dtype, and logits, [rows, vocab_size], float32, both valid
        until the next run.
        """
        count = len(spans)
        size = self.sizes[bisect_left(self.sizes, count)]
        rows = np.zeros((size, 4), np.int64)
        rows[:, 3] = 1
        starts = np.array([span.start for span in spans])
        rows[:count, 0] = 0 if isinstance(tokens, Tensor) else tokens
        rows[:count, 1:] = np.stack([starts, slots_of(spans, self._page_size), starts + 1], axis=1)
        table = block_table(spans, self._page_size, rows=size)
        self._rows[:size].copy_(pinned(rows, self._device), non_blocking=True)
        if isinstance(tokens, Tensor):
            self._rows[:count, 0] = tokens
        self._table[:size, : table.shape[1]].copy_(pinned(table, self._device), non_blocking=True)
        self.replays += 1
        self._replays[size]()
        hidden, logits = self._results
        return hidden[:count], logits[:count]

    def _compute(self, size: int) -> None:
        """The step that the first `size` rows of the buffers describe."""
        tokens, positions, slots, lengths = self._rows[:size].unbind(1)
        plan = VarlenPlan(
            kernel=self._kernel,
            slots=slots.contiguous(),
            starts=self._starts[: size + 1],
            lengths=lengths.int(),
            table=self._table[:size],
            most_rows=1,
            longest=self._longest,
        )
        # Graphs that kept results of their own would each need memory for them.
        for kept, found in zip(
            self._results, self._step(tokens.contiguous(), positions.contiguous(), plan), strict=True
        ):
            kept[:size].copy_(found)


def cuda_graphs() -> Record:
    """Records with CUDA's stream capture, all graphs in one pool of memory.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
    """
    pool = torch.cuda.graph_pool_handle()

    def record(step: Replay) -> Replay:
        # Once outside, on a stream of its own, so that libraries set up what may not be set up during a capture.
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's own
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Another engine's thread may allocate meanwhile.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            step()
        return graph.replay

    return record
