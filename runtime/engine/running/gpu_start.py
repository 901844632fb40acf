"""What a GPU does between loading the weights and the first request: measure the largest steps, take the pool of pages
that they leave room for, and record decode steps as graphs.

How memory is measured and graphs are recorded is passed in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import torch

from runtime.engine.layers.varlen import VarlenKernel
from runtime.engine.memory.plan import MemoryPlan, fit_pool
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.decode_graphs import DecodeGraphs, Record
from runtime.engine.running.torch_runner import TorchRunner
from runtime.engine.scheduling.scheduler import Chunk
from runtime.engine.scheduling.sequence import Sequence

log = logging.getLogger(__name__)

# The dearest way of sampling: a softmax and a sort of every row.
_DEAREST = SamplingParams(temperature=1.0, top_p=0.999)


class Memory(Protocol):
    """A device's memory, in bytes."""

    def free_bytes(self) -> int:
        """What the device has free, without what this process keeps for reuse."""

    def peak_bytes(self, run: Callable[[], object]) -> int:
        """The most that `run` took at once."""


class CudaMemory:
    """As torch counts it. device: one of CUDA."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def free_bytes(self) -> int:
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(self._device)[0]

    def peak_bytes(self, run: Callable[[], object]) -> int:
        torch.cuda.synchronize(self._device)
        before = torch.cuda.memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        run()
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_allocated(self._device) - before


def trial_plan(plan: MemoryPlan, *, max_step_tokens: int) -> MemoryPlan:
    """The plan with a pool that is just large enough for the steps that `start` measures."""
    page_bytes = plan.kv_bytes // plan.pages
    pages = 1 + -(-min(max_step_tokens, plan.context_tokens) // plan.page_size)
    return replace(plan, pages=pages, kv_bytes=pages * page_bytes)


def start(
    runner: TorchRunner,
    plan: MemoryPlan,
    kernel: VarlenKernel | None,
    *,
    max_batch_size: int,
    max_step_tokens: int,
    memory: Memory,
    record: Record,
) -> None:
    """Make a loaded runner, which has the pool of `trial_plan`, ready for requests. Blocks for seconds.

    plan: before it was known what a step takes. kernel: None leaves attention to gathering, and steps without graphs.
    Raises DoesNotFit where nothing is left for the pool.
    """
    runner.kernel = kernel
    prompts = _chunks(_spread(max_step_tokens, max_batch_size, plan.context_tokens), plan.page_size)
    decodes = _chunks([1] * max_batch_size, plan.page_size)
    step_bytes = memory.peak_bytes(lambda: runner.run(prompts))
    graph_bytes = 0
    if kernel is not None:
        # Graphs keep what their largest step takes, and its results; other steps take theirs beside it.
        row_bytes = 4 * runner.config.vocab_size + runner.dtype.itemsize * runner.config.hidden_size
        graph_bytes = memory.peak_bytes(lambda: runner.run(decodes)) + max_batch_size * row_bytes
    runner.release_pool()
    fitted = fit_pool(plan, taken_bytes=plan.free_bytes - memory.free_bytes(), step_bytes=step_bytes + graph_bytes)
    runner.take_pool(fitted)
    if kernel is not None:
        runner.graphs = DecodeGraphs(
            runner.step,
            kernel,
            (
                torch.empty(max_batch_size, runner.config.hidden_size, dtype=runner.dtype, device=runner.device),
                torch.empty(max_batch_size, runner.config.vocab_size, device=runner.device),
            ),
            page_size=fitted.page_size,
            context_tokens=fitted.context_tokens,
            device=runner.device,
        )
        runner.graphs.capture(record)
    log.info(
        "the GPU is ready",
        extra={
            "pages": fitted.pages,
            "step_bytes": step_bytes,
            "graphs": len(runner.graphs.sizes) if runner.graphs else 0,
        },
    )


def _chunks(counts: list[int], page_size: int) -> list[Chunk]:
    """Sequences of so many tokens, which all write to the same pages; what they compute is not used."""
    chunks = []
    for number, count in enumerate(counts):
        sequence = Sequence(
            id=number,
            tokens=[0] * count,
            prompt_length=count,
            params=_DEAREST,
            seed=number,
            max_length=count + 1,
            pages=list(range(1, 1 + -(-count // page_size))),
        )
        chunks.append(Chunk(sequence, count, samples=True))
    return chunks


def _spread(tokens: int, sequences: int, longest: int) -> list[int]:
    """`tokens` over so many sequences, the first as long as they can be and each with one at least."""
    counts = []
    for after in reversed(range(sequences)):
        counts.append(min(longest, tokens - after))
        tokens -= counts[-1]
    return counts
