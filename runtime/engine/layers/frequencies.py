"""The rotary frequencies of a model, scaled as it asks. Knows channels; no positions, no torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from runtime.engine.checkpoints.model_config import ModelConfig


def inverse_frequencies(config: ModelConfig) -> NDArray[np.float64]:
    """Radians per position of each channel pair: [head_dim / 2], float64.

    Su et al. 2021 (RoFormer), eq. 15; scaling as described at `RopeScaling`.
    """
    frequencies = config.rope_theta ** -(np.arange(0, config.head_dim, 2, dtype=np.float64) / config.head_dim)
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies
    if scaling.kind == "linear":
        return frequencies / scaling.factor
    if scaling.kind == "factors":
        return frequencies / np.array(scaling.factors, np.float64)
    # Full turns of each channel over the original context: fast channels have many and are kept, slow ones are divided.
    turns = scaling.original_context_length * frequencies / (2 * math.pi)
    kept = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = kept.clip(0, 1)
    scaled: NDArray[np.float64] = kept * frequencies + (1 - kept) * frequencies / scaling.factor
    return scaled
