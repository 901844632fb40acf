"""The shape of a model, the same for every checkpoint format, and the error for a checkpoint that cannot be used.

Knows numbers and names; no tensors, no file formats, no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from runtime import errors

SUPPORTED_ARCHITECTURES = ("llama",)


class CheckpointInvalid(errors.Unavailable):
    """A checkpoint that is damaged, incomplete or of a kind this engine does not run; the message names the file."""

    code = "checkpoint_invalid"


@dataclass(frozen=True, kw_only=True)
class RopeScaling:
    """How rotary frequencies are stretched for contexts longer than the model was first trained on.

    `linear` divides every frequency by `factor` (Chen et al. 2023, Position Interpolation). `llama3` divides the slow
    ones, keeps the fast ones and blends between them (meta-llama/llama-models: `models/llama3/model.py`,
    `apply_scaling`). `factors` has one divisor per frequency, as GGUF files store them. original_context_length is in
    tokens.
    """

    kind: Literal["linear", "llama3", "factors"]
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context_length: int = 8192
    factors: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The shape of a decoder-only model. Sizes are in elements, lengths in tokens."""

    architecture: str
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_size: int
    vocab_size: int
    context_length: int
    norm_eps: float
    rope_theta: float
    rope_scaling: RopeScaling | None = None
    is_tied: bool = False
    eos_token_ids: tuple[int, ...] = ()

    def problems(self) -> list[str]:
        """Why no model can have this shape, one sentence each; empty for a sound one."""
        sizes = ("layers", "hidden_size", "heads", "kv_heads", "head_dim", "ffn_size", "vocab_size", "context_length")
        found = [
            f"`{name}` is {getattr(self, name)}, not a positive number" for name in sizes if getattr(self, name) < 1
        ]
        if found:
            return found
        if self.heads % self.kv_heads:
            found.append(f"{self.heads} attention heads cannot share {self.kv_heads} key-value heads")
        if self.head_dim % 2:
            found.append(f"a head of {self.head_dim} channels cannot be rotated in pairs")
        if not (math.isfinite(self.norm_eps) and self.norm_eps >= 0):
            found.append(f"the norm's epsilon is {self.norm_eps}")
        if not (math.isfinite(self.rope_theta) and self.rope_theta > 0):
            found.append(f"the rotary base is {self.rope_theta}")
        scaling = self.rope_scaling
        if scaling is not None and scaling.kind == "factors" and len(scaling.factors) != self.head_dim // 2:
            found.append(f"{len(scaling.factors)} rotary factors for {self.head_dim // 2} frequencies")
        if scaling is not None and scaling.kind == "llama3" and scaling.high_freq_factor <= scaling.low_freq_factor:
            found.append("the rotary scaling's `high_freq_factor` is not above its `low_freq_factor`")
        if scaling is not None and not (math.isfinite(scaling.factor) and scaling.factor > 0):
            found.append(f"the rotary scaling's `factor` is {scaling.factor}")
        if scaling is not None and not all(math.isfinite(factor) and factor > 0 for factor in scaling.factors):
            found.append("a rotary factor is not a positive number")
        return found

    @property
    def parameters(self) -> int:
        """Number of weights, a tied head counted once."""
        embeddings = self.vocab_size * self.hidden_size * (1 if self.is_tied else 2)
        norms = (2 * self.layers + 1) * self.hidden_size
        return self.layer_matrix_weights + embeddings + norms

    @property
    def layer_matrix_weights(self) -> int:
        """Number of weights in the matrices of all layers: not in embedding, head and norms."""
        heads_out = (2 * self.heads + 2 * self.kv_heads) * self.head_dim
        return self.layers * self.hidden_size * (heads_out + 3 * self.ffn_size)

    @property
    def layer_matrix_rows(self) -> int:
        """Number of outputs of these matrices."""
        heads_out = (self.heads + 2 * self.kv_heads) * self.head_dim
        return self.layers * (heads_out + 2 * self.hidden_size + 2 * self.ffn_size)

    @property
    def doubling_tokens(self) -> int:
        """After how many tokens another one costs twice as much as the first: when attention takes as long as the
        weights. Per token and layer it has 2 * heads * head_dim products for each token before, computed at half the
        speed of those with the weights (between a third and all of it, by kernels, torch and device).
        """
        return max(1, self.parameters // (4 * self.layers * self.heads * self.head_dim))

    @property
    def kv_elements_per_token(self) -> int:
        """Elements of the keys and values of one token, over all layers."""
        return self.layers * 2 * self.kv_heads * self.head_dim
