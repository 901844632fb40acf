"""Runs steps by torch: on a GPU, or on a CPU for checkpoints that are not quantised.

The only place where sequences become tensors. Everything a step needs is laid out flat: the tokens of all chunks one
after the other, their positions, and an attention plan.
"""

from __future__ import annotations

from collections.abc import Sequence as Rows
from functools import partial

import numpy as np
import torch
from torch import Tensor

from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.layers.attention import AttentionPlan, KVCache, Span
from runtime.engine.layers.fp8 import Fp8Linear, find_product
from runtime.engine.layers.gathered import plan_gathered
from runtime.engine.layers.linear import Linear
from runtime.engine.layers.varlen import VarlenKernel, plan_varlen
from runtime.engine.memory.device_copy import Readback, on_device
from runtime.engine.memory.plan import MemoryPlan
from runtime.engine.models.llama import Llama, MakeLinear
from runtime.engine.running.decode_graphs import DecodeGraphs
from runtime.engine.running.runner import Launches, Logprob, Pending, Runner
from runtime.engine.sampling import torch_batched as sampler_batched
from runtime.engine.sampling import torch_rows as sampler
from runtime.engine.sampling.sampled import Sampled
from runtime.engine.scheduling.overlap import leaves_logits_alone
from runtime.engine.scheduling.scheduler import Chunk
from runtime.engine.scheduling.sequence import Sequence


class TorchRunner(Runner):
    """Use it inside torch.inference_mode(). logits: [rows, vocab_size], float32, on the device.

    kernel, graphs: how attention and decode steps are computed on a GPU (`gpu_start.py`); None where pages are gathered
    and each operator is launched.
    """

    def __init__(self, config: ModelConfig, plan: MemoryPlan) -> None:
        """Allocates weights, still unset, and the pool of pages. Load `model` before the first step."""
        self.config, self.plan = config, plan
        self.device = torch.device(plan.device)
        self.dtype = torch.float32 if plan.dtype == "float32" else torch.bfloat16
        linear: MakeLinear = Linear
        if plan.dtype == "fp8":
            linear = partial(Fp8Linear, product=find_product(self.device))
        with self.device:
            self.model = Llama(config, context_tokens=plan.context_tokens, dtype=self.dtype, linear=linear)
        self.kernel: VarlenKernel | None = None
        self.graphs: DecodeGraphs | None = None
        self.eager_steps = 0
        self._hidden = torch.empty(0)
        self._logits: Tensor | None = None
        self._sampled: tuple[list[Sequence], Tensor] | None = None  # [sequences], int64, of the last step
        self.take_pool(plan)

    def take_pool(self, plan: MemoryPlan) -> None:
        """Allocate the pages of a plan, which is the runner's from now on. Give back earlier ones first."""
        self.plan = plan
        self.cache = KVCache(
            layers=self.config.layers,
            pages=plan.pages,
            page_size=plan.page_size,
            kv_heads=self.config.kv_heads,
            head_dim=self.config.head_dim,
            dtype=self.dtype,
            device=self.device,
        )

    def release_pool(self) -> None:
        """Give back the pages, and what is left of the last step. `take_pool` comes before the next."""
        self.cache.release()
        self._hidden, self._logits, self._sampled = torch.empty(0), None, None

    def compute(self, chunks: Rows[Chunk]) -> None:
        spans = _spans(chunks)
        if self.graphs is not None and self.graphs.takes(spans):
            self._hidden, self._logits = self.graphs.run([chunk.tokens[0] for chunk in chunks], spans)
            return
        self.eager_steps += 1
        self._hidden, self._logits = self.forward(chunks), None

    def copy_page(self, source: int, target: int) -> None:
        self.cache.copy_page(source, target)

    @property
    def can_follow(self) -> bool:  # type: ignore[override]  # known once there are graphs
        return self.graphs is not None

    def launch(self, chunks: Rows[Chunk]) -> Pending:
        self._sampled = None
        if self.graphs is None or not all(map(leaves_logits_alone, chunks)):
            return super().launch(chunks)
        self.compute(chunks)
        ends = np.cumsum([chunk.rows for chunk in chunks]) - 1
        return self._draw(self.logits([int(end) for end in ends]), chunks)

    def follow(self, chunks: Rows[Chunk]) -> Pending | None:
        if self._sampled is None or self.graphs is None or len(chunks) > self.graphs.sizes[-1]:
            return None
        sampled, tokens = self._sampled
        places = {sequence.id: place for place, sequence in enumerate(sampled)}
        rows = [places[chunk.sequence.id] for chunk in chunks]
        if rows != list(range(len(sampled))):
            tokens = tokens.index_select(0, self._indices(rows))
        # Where there was none, the sequence fails, and what comes after that is not used.
        tokens = tokens.clamp(min=0)
        spans = [Span(chunk.sequence.pages, len(chunk.sequence.tokens), 1) for chunk in chunks]
        self._hidden, self._logits = self.graphs.run(tokens, spans)
        return self._draw(self._logits, chunks, ahead=1)

    def logits(self, rows: Rows[int]) -> Tensor:
        if self._logits is not None:
            return self._logits if len(rows) == len(self._logits) else self._logits[self._indices(rows)]
        hidden = self._hidden
        if len(rows) < len(hidden):
            hidden = hidden[self._indices(rows)]
        return self.model.logits(hidden)

    def sample(self, logits: Tensor, sequences: Rows[Sequence]) -> list[Sampled]:
        if self.graphs is None:
            return sampler.sample(logits, sequences)
        # As in steps whose tokens stay on the device: a token must not depend on which way it went.
        return sampler.sample(logits, sequences, lambda *given: sampler_batched.choose(*given).tolist())

    def logprobs_of(self, logits: Tensor, token_ids: Rows[int], top: int) -> list[Logprob]:
        return sampler.logprobs_of(logits, token_ids, top)

    def launches(self) -> Launches:
        if self.graphs is None:
            return Launches(eager_steps=self.eager_steps)
        return Launches(self.eager_steps, self.graphs.replays, self.graphs.captures)

    def close(self) -> None:
        """Tensors are given back by themselves."""

    def forward(self, chunks: Rows[Chunk]) -> Tensor:
        """The hidden states of all tokens of the chunks, in order. Writes their keys and values into their pages.

        Returns [tokens, hidden_size], in the working dtype.
        """
        tokens: list[int] = []
        positions: list[int] = []
        for chunk in chunks:
            start = chunk.sequence.computed
            tokens += chunk.tokens
            positions += range(start, start + chunk.rows)
        hidden: Tensor = self.model(
            torch.tensor(tokens, device=self.device),
            torch.tensor(positions, device=self.device),
            self.cache,
            self._plan_attention(_spans(chunks)),
        )
        return hidden

    def step(self, tokens: Tensor, positions: Tensor, plan: AttentionPlan) -> tuple[Tensor, Tensor]:
        """All layers and the head. tokens, positions: [rows], int64.

        Returns hidden states, [rows, hidden_size], working dtype, and logits, [rows, vocab_size], float32.
        """
        hidden = self.model(tokens, positions, self.cache, plan)
        return hidden, self.model.logits(hidden)

    def _draw(self, logits: Tensor, chunks: Rows[Chunk], ahead: int = 0) -> Pending:
        """A token for each chunk, which stays on the device too. logits: [chunks, vocab_size], float32."""
        sequences = [chunk.sequence for chunk in chunks]
        tokens = sampler_batched.choose(logits, sequences, ahead)
        self._sampled = sequences, tokens
        return _OnTheirWay(Readback(tokens))

    def _plan_attention(self, spans: Rows[Span]) -> AttentionPlan:
        if self.kernel is not None:
            return plan_varlen(self.kernel, spans, self.cache.page_size, self.device)
        return plan_gathered(spans, self.cache.page_size, self.dtype, self.device)

    def _indices(self, rows: Rows[int]) -> Tensor:
        """rows: of the last step. Returns [rows], int64, on the device."""
        return on_device(np.array(rows), self.device)


class _OnTheirWay:
    """Tokens that are drawn on the device and copied from there."""

    def __init__(self, tokens: Readback) -> None:
        self._tokens = tokens

    def results(self) -> list[Sampled | None]:
        return [Sampled(token_id) for token_id in self._tokens.wait()]


def _spans(chunks: Rows[Chunk]) -> list[Span]:
    return [Span(chunk.sequence.pages, chunk.sequence.computed, chunk.rows) for chunk in chunks]
