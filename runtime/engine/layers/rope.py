"""Rotary position embeddings: the table of a model's angles, and the rotation.

Knows positions and channels. Channel i is paired with channel i + head_dim / 2 (the Hugging Face order); checkpoints
that pair neighbours are reordered when they are read.
"""

from __future__ import annotations

import torch
from torch import Tensor

from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.layers.frequencies import inverse_frequencies


def rotary_table(config: ModelConfig, positions: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines for positions 0 to `positions` - 1: two of [positions, 1, head_dim], float32.

    The first half of the sines is negated, so that a rotation is `x * cos + roll(x) * sin`.
    """
    # Angles in float64: at position 100,000 a float32 product is off by several thousandths of a radian.
    frequencies = torch.from_numpy(inverse_frequencies(config))
    # Where the frequencies are: a model is made with its device as the usual one.
    angles = torch.outer(torch.arange(positions, dtype=torch.float64, device=frequencies.device), frequencies)
    cos, sin = angles.cos().float(), angles.sin().float()
    table_cos = torch.cat([cos, cos], dim=1).unsqueeze(1)
    table_sin = torch.cat([-sin, sin], dim=1).unsqueeze(1)
    return table_cos.to(device), table_sin.to(device)


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs of channels by their position. Su et al. 2021 (RoFormer), eq. 34.

    x: [tokens, heads, head_dim]; cos, sin: [tokens, 1, head_dim], float32, rows of `rotary_table`. Returns x's shape
    and dtype; the arithmetic is float32.
    """
    wide = x.float()
    rolled = wide.roll(x.shape[-1] // 2, dims=-1)
    return torch.addcmul(wide * cos, rolled, sin).to(x.dtype)
