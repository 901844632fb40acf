"""Runs a step on the device: chunks in, sampled tokens out. Knows tensors; what runs when is the scheduler's choice.

The only place where sequences become tensors. Everything a step needs is laid out flat: the tokens of all chunks one
after the other, their positions, and an attention plan.
"""

from __future__ import annotations

from collections.abc import Sequence as Rows

import torch
from torch import Tensor

from runtime.engine.layers.attention import KVCache, Span, plan_attention
from runtime.engine.memory_plan import MemoryPlan
from runtime.engine.messages import TokenLogprob
from runtime.engine.model_config import ModelConfig
from runtime.engine.models.llama import Llama
from runtime.engine.sampled import Sampled
from runtime.engine.sampler import logprobs_of, sample
from runtime.engine.scheduler import Chunk
from runtime.engine.sequence import Sequence

# Rows of logits computed at a time for log-probabilities of a prompt: 64 rows of a 128k vocabulary are 32 MB.
_LOGIT_ROWS = 64


class ModelRunner:
    """A loaded model and its KV cache. Use it inside torch.inference_mode()."""

    def __init__(self, config: ModelConfig, plan: MemoryPlan) -> None:
        """Allocates weights, still unset, and the cache. Load `model` before the first step."""
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

    def run(self, chunks: Rows[Chunk]) -> list[Sampled | None]:
        """Compute the chunks, and sample a token for each that reaches the last token of its sequence.

        Returns an entry for each chunk, None where nothing is sampled. Appends log-probabilities of prompts to the
        sequences that ask for them, and changes nothing else about a sequence.
        """
        hidden = self.forward(chunks)
        self._add_prompt_logprobs(hidden, chunks)
        last_rows, sampling, row = [], [], -1
        for chunk in chunks:
            row += chunk.count
            if chunk.samples:
                last_rows.append(row)
                sampling.append(chunk.sequence)
        if not sampling:
            return [None] * len(chunks)
        selected = hidden if len(last_rows) == len(hidden) else hidden[torch.tensor(last_rows, device=self.device)]
        sampled = iter(sample(self.model.logits(selected), sampling))
        return [next(sampled) if chunk.samples else None for chunk in chunks]

    def forward(self, chunks: Rows[Chunk]) -> Tensor:
        """The hidden states of all tokens of the chunks, in order. Writes their keys and values into their pages.

        Returns [tokens, hidden_size], in the working dtype.
        """
        tokens: list[int] = []
        positions: list[int] = []
        spans = []
        for chunk in chunks:
            sequence, start = chunk.sequence, chunk.sequence.computed
            tokens += sequence.tokens[start : start + chunk.count]
            positions += range(start, start + chunk.count)
            spans.append(Span(sequence.pages, start, chunk.count))
        plan = plan_attention(spans, self.cache.page_size, self.dtype, self.device)
        hidden: Tensor = self.model(
            torch.tensor(tokens, device=self.device), torch.tensor(positions, device=self.device), self.cache, plan
        )
        return hidden

    def _add_prompt_logprobs(self, hidden: Tensor, chunks: Rows[Chunk]) -> None:
        """hidden: [tokens, hidden_size], in the working dtype, of all chunks in order."""
        row = 0
        for chunk in chunks:
            sequence = chunk.sequence
            if sequence.params.prompt_logprobs:
                # A row predicts the token after it. After a preemption the first ones are already known.
                first = max(len(sequence.prompt_logprobs), sequence.computed) + 1
                last = min(sequence.prompt_length, sequence.computed + chunk.count + 1)
                for start in range(first, last, _LOGIT_ROWS):
                    end = min(start + _LOGIT_ROWS, last)
                    offset = row - sequence.computed - 1
                    self._append_logprobs(sequence, hidden[start + offset : end + offset], sequence.tokens[start:end])
            row += chunk.count

    def _append_logprobs(self, sequence: Sequence, hidden: Tensor, token_ids: list[int]) -> None:
        """hidden: [rows, hidden_size], in the working dtype; row i predicts token_ids[i]."""
        found = logprobs_of(self.model.logits(hidden), token_ids, sequence.params.logprobs or 0)
        for token_id, (logprob, top) in zip(token_ids, found, strict=True):
            sequence.prompt_logprobs.append(TokenLogprob(token_id=token_id, logprob=logprob, top_logprobs=top))
