"""Runs steps on a CPU by kernels, on quantised weights. No torch."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.kernels.products import MOST_TOKENS
from runtime.engine.memory.plan import MemoryPlan
from runtime.engine.running.packed_model import PackedModel, Span
from runtime.engine.running.runner import Logprob, Runner
from runtime.engine.sampling import numpy_rows as sampler_cpu
from runtime.engine.sampling.sampled import Sampled
from runtime.engine.scheduling.scheduler import Chunk
from runtime.engine.scheduling.sequence import Sequence

Logits = NDArray[np.float32]


class PackedRunner(Runner):
    """model: whose pages are the plan's. logits: [rows, vocab_size], float32."""

    # Eight rows are computed together: weights are unpacked once for them.
    guessed_tokens = MOST_TOKENS - 1

    def __init__(self, config: ModelConfig, plan: MemoryPlan, model: PackedModel) -> None:
        self.config, self.plan, self.model = config, plan, model

    def compute(self, chunks: Rows[Chunk]) -> None:
        self.model.step([Span(chunk.tokens, chunk.sequence.computed, chunk.sequence.pages) for chunk in chunks])

    def copy_page(self, source: int, target: int) -> None:
        self.model.cache[target] = self.model.cache[source]

    def logits(self, rows: Rows[int]) -> Logits:
        return self.model.logits(rows)

    def sample(self, logits: Any, sequences: Rows[Sequence]) -> list[Sampled]:
        return sampler_cpu.sample(logits, sequences)

    def logprobs_of(self, logits: Any, token_ids: Rows[int], top: int) -> list[Logprob]:
        return sampler_cpu.logprobs_of(logits, token_ids, top)

    def close(self) -> None:
        self.model.close()
