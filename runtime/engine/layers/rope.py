"""Rotary position embeddings: the frequencies of a model, the table of their angles, and the rotation.

Knows positions and channels. Channel i is paired with channel i + head_dim / 2 (the Hugging Face order); checkpoints
that pair neighbours are reordered when they are read.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from runtime.engine.model_config import ModelConfig


def inverse_frequencies(config: ModelConfig) -> Tensor:
    """Radians per position of each channel pair, scaled as the model asks. [head_dim / 2], float64.

    Su et al. 2021 (RoFormer), eq. 15; scaling as described at `RopeScaling`.
    """
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
    frequencies = config.rope_theta**-exponents
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies
    if scaling.kind == "linear":
        return frequencies / scaling.factor
    if scaling.kind == "factors":
        return frequencies / torch.tensor(scaling.factors, dtype=torch.float64)
    # Full turns of each channel over the original context: fast channels have many and are kept, slow ones are divided.
    turns = scaling.original_context_length * frequencies / (2 * math.pi)
    kept = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = kept.clamp(0, 1)
    return kept * frequencies + (1 - kept) * frequencies / scaling.factor


def rotary_table(config: ModelConfig, positions: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines for positions 0 to `positions` - 1: two of [positions, 1, head_dim], float32.

    The first half of the sines is negated, so that a rotation is `x * cos + roll(x) * sin`.
    """
    # Angles in float64: at position 100,000 a float32 product is off by several thousandths of a radian.
    angles = torch.outer(torch.arange(positions, dtype=torch.float64), inverse_frequencies(config))
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
