"""A tiny random model whose matrices are quantised, so that our kernels compute it; and how its file is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtime.engine.checkpoints.model_config import ModelConfig
from tests.support.tiny_llama import random_weights, tiny_config, write_gguf

PACKED = tiny_config(layers=3, hidden_size=96, heads=6, kv_heads=2, head_dim=16, ffn_size=160, vocab_size=200)
PACKED_PAGE_BYTES = 32 * PACKED.kv_elements_per_token * 2


def write_quantised(folder: Path, config: ModelConfig = PACKED, kind: str = "Q8_0") -> Path:
    """A random model with matrices of this type."""
    weights = {name: weight * (0.4 if weight.dim() == 2 else 1) for name, weight in random_weights(config).items()}
    return write_gguf(folder / "tiny.gguf", config, weights, kind=kind)


def spoil(path: Path, tensor: str, row: int | slice, scale: float = float("nan")) -> None:
    """Change the first scale of rows of a quantised GGUF tensor; in the types that we write a block begins with it."""
    import gguf

    reader = gguf.GGUFReader(path, "r+")
    [found] = [one for one in reader.tensors if one.name == tensor]
    found.data[row, :2] = np.array([scale], np.float16).view(np.uint8)
    reader.data.flush()
