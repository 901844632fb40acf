"""Runs steps by torch: on a GPU, or on a CPU for checkpoints that are not quantised.

The only place where sequences become tensors. Everything a step needs is laid out flat: the tokens of all chunks one
after the other, their positions, and an attention plan.
"""

from __future__ import annotations

from collections.abc import Sequence as Rows

import torch
from torch import Tensor

from runtime.engine import sampler
from runtime.engine.layers.attention import KVCache, Span
from runtime.engine.layers.gathered import plan_gathered
from runtime.engine.memory_plan import MemoryPlan
from runtime.engine.model_config import ModelConfig
from runtime.engine.models.llama import Llama
from runtime.engine.runner import Logprob, Runner
from runtime.engine.sampled import Sampled
from runtime.engine.scheduler import Chunk
from runtime.engine.sequence import Sequence


class TorchRunner(Runner):
    """Use it inside torch.inference_mode(). logits: [rows, vocab_size], float32, on the device."""

    def __init__(self, config: ModelConfig, plan: MemoryPlan) -> None:
        """Allocates weights, still unset, and the cache. Load `model` before the first step."""
        self.config, self.plan = config, plan
        self.device = torch.device(plan.device)
        self.dtype: torch.dtype = getattr(torch, plan.dtype)
        with self.device:
            self.model = Llama(config, context_tokens=plan.context_tokens, dtype=self.dtype)
        self.cache = KVCache(
            layers=config.layers,
            pages=plan.pages,
            page_size=plan.page_size,
            kv_heads=config.kv_heads,
            head_dim=config.head_dim,
            dtype=self.dtype,
            device=self.device,
        )
        self._hidden = torch.empty(0)

    def compute(self, chunks: Rows[Chunk]) -> None:
        self._hidden = self.forward(chunks)

    def logits(self, rows: Rows[int]) -> Tensor:
        hidden = self._hidden
        if len(rows) < len(hidden):
            hidden = hidden[torch.tensor(rows, device=self.device)]
        return self.model.logits(hidden)

    def sample(self, logits: Tensor, sequences: Rows[Sequence]) -> list[Sampled]:
        return sampler.sample(logits, sequences)

    def logprobs_of(self, logits: Tensor, token_ids: Rows[int], top: int) -> list[Logprob]:
        return sampler.logprobs_of(logits, token_ids, top)

    def close(self) -> None:
        """Tensors are given back by themselves."""

    def forward(self, chunks: Rows[Chunk]) -> Tensor:
        """The hidden states of all tokens of the chunks, in order. Writes their keys and values into their pages.

        Returns [tokens, hidden_size], in the working dtype.
        """
        tokens: list[int] = []
        positions: list[int] = []
        spans = []
        for chunk in chunks:
            start = chunk.sequence.computed
            tokens += chunk.tokens
            positions += range(start, start + chunk.rows)
            spans.append(Span(chunk.sequence.pages, start, chunk.rows))
        plan = plan_gathered(spans, self.cache.page_size, self.dtype, self.device)
        hidden: Tensor = self.model(
            torch.tensor(tokens, device=self.device), torch.tensor(positions, device=self.device), self.cache, plan
        )
        return hidden
