"""The Llama decoder (1 to 3.3) over flat tokens: rows of several sequences one after the other, no batch axis.

Knows weights and shapes; not sequences, sampling or where weights come from. Touvron et al. 2023 (LLaMA), section 2.2.

    embedding -> layers x (norm -> attention -> + ; norm -> SwiGLU -> +) -> norm -> head
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.checkpoints.weights import ExpectedWeights
from runtime.engine.layers.attention import AttentionPlan, KVCache
from runtime.engine.layers.linear import Destination, Linear
from runtime.engine.layers.norm import RMSNorm
from runtime.engine.layers.rope import apply_rotary, rotary_table

MakeLinear = Callable[[int, Sequence[int], torch.dtype], Linear]
"""How the matrices of layers are kept: `Linear`, or one of its kinds. inputs, outputs, working dtype."""


class Attention(nn.Module):
    """Grouped-query attention with rotary positions over the paged cache."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, linear: MakeLinear) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = config.heads, config.kv_heads, config.head_dim
        widths = (self.heads * self.head_dim, self.kv_heads * self.head_dim, self.kv_heads * self.head_dim)
        self.qkv = linear(config.hidden_size, widths, dtype)
        self.o = linear(widths[0], (config.hidden_size,), dtype)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, keys: Tensor, values: Tensor, plan: AttentionPlan) -> Tensor:
        """x: [tokens, hidden_size]; cos, sin: [tokens, 1, head_dim], float32; keys, values: this layer's pool,
        [pages, page_size, kv_heads, head_dim]. Returns x's shape; all but cos and sin have the working dtype.
        """
        rotated = self.heads + self.kv_heads
        qkv = self.qkv(x).view(len(x), rotated + self.kv_heads, self.head_dim)
        qk = apply_rotary(qkv[:, :rotated], cos, sin)  # queries and keys turn together
        q, k, v = qk[:, : self.heads], qk[:, self.heads :], qkv[:, rotated:]
        out: Tensor = self.o(plan.attend(q, k, v, keys, values))
        return out


class FeedForward(nn.Module):
    """down(silu(gate(x)) * up(x)). Shazeer 2020 (GLU variants), eq. 6.

    x: [tokens, hidden_size], working dtype. Returns the same shape and dtype.
    """

    def __init__(self, config: ModelConfig, dtype: torch.dtype, linear: MakeLinear) -> None:
        super().__init__()
        self.gate_up = linear(config.hidden_size, (config.ffn_size, config.ffn_size), dtype)
        self.down = linear(config.ffn_size, (config.hidden_size,), dtype)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(functional.silu(gate).mul_(up))
        return out


class Layer(nn.Module):
    """Attention and feed-forward, each with a norm before it and a residual around it."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, linear: MakeLinear) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, config.norm_eps, dtype)
        self.attention = Attention(config, dtype, linear)
        self.ffn_norm = RMSNorm(config.hidden_size, config.norm_eps, dtype)
        self.ffn = FeedForward(config, dtype, linear)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, keys: Tensor, values: Tensor, plan: AttentionPlan) -> Tensor:
        """x: [tokens, hidden_size]; cos, sin: [tokens, 1, head_dim], float32; keys, values: this layer's pool,
        [pages, page_size, kv_heads, head_dim]. Returns x's shape; all but cos and sin have the working dtype.
        """
        x = x + self.attention(self.attention_norm(x), cos, sin, keys, values, plan)
        out: Tensor = x + self.ffn(self.ffn_norm(x))
        return out


class Llama(nn.Module):
    """The whole model; its weights are unset until `load`. Built on torch's current default device."""

    def __init__(
        self, config: ModelConfig, *, context_tokens: int, dtype: torch.dtype, linear: MakeLinear = Linear
    ) -> None:
        """context_tokens: positions in the rotary table. dtype: the working dtype, of activations, and of weights but
        for those that `linear` keeps otherwise.
        """
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(
            torch.empty(config.vocab_size, config.hidden_size, dtype=dtype), requires_grad=False
        )
        self.layers = nn.ModuleList(Layer(config, dtype, linear) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_eps, dtype)
        self.head = self.embedding
        if not config.is_tied:
            self.head = nn.Parameter(torch.empty_like(self.embedding), requires_grad=False)
        self.cos, self.sin = rotary_table(config, context_tokens, self.embedding.device)

    def forward(self, tokens: Tensor, positions: Tensor, cache: KVCache, plan: AttentionPlan) -> Tensor:
        """The last layer's output. tokens, positions: [tokens], int64. Returns [tokens, hidden_size], working dtype."""
        x = functional.embedding(tokens, self.embedding)
        cos, sin = self.cos[positions], self.sin[positions]
        for layer, keys, values in zip(self.layers, cache.keys, cache.values, strict=True):
            x = layer(x, cos, sin, keys, values, plan)
        return x

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden: [rows, hidden_size], rows from `forward`. Returns [rows, vocab_size], float32."""
        return functional.linear(self.norm(hidden), self.head).float()

    def destinations(self) -> dict[str, Destination]:
        """Where each weight of a checkpoint is copied to, by our name for it.

        [outputs, inputs], norms [hidden_size].
        """
        places: dict[str, Destination] = {"embedding": self.embedding.data, "norm": self.norm.weight.data}
        if not self.config.is_tied:
            places["head"] = self.head.data
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            q, k, v = layer.attention.qkv.parts()
            gate, up = layer.ffn.gate_up.parts()
            [o], [down] = layer.attention.o.parts(), layer.ffn.down.parts()
            parts: dict[str, Destination] = {
                "attention_norm": layer.attention_norm.weight.data,
                "attention.q": q,
                "attention.k": k,
                "attention.v": v,
                "attention.o": o,
                "ffn_norm": layer.ffn_norm.weight.data,
                "ffn.gate": gate,
                "ffn.up": up,
                "ffn.down": down,
            }
            places.update({f"layers.{number}.{name}": place for name, place in parts.items()})
        return places

    def load(self, weights: Iterable[tuple[str, Tensor]], source: object) -> None:
        """Copy every weight to its place, in the form and on the device that the model was built with. No more than one
        weight is in another form at a time.

        weights: by our names, [outputs, inputs] or [hidden_size], any dtype. source: the checkpoint, for messages.
        Raises CheckpointInvalid for a tensor that is missing, unknown, given twice or of the wrong shape.
        """
        places = self.destinations()
        expected = ExpectedWeights(self.config, source)
        for name, tensor in weights:
            expected.take(name, tensor.shape)
            places[name].copy_(tensor)
        expected.end()
