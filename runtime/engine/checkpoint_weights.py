"""What the three kinds of checkpoints share about weights: our names for them, and the order of rotary channels.

Our names: `embedding`, `norm`, `head`, and in `layers.N.`: `attention_norm`, `attention.q` `.k` `.v` `.o`, `ffn_norm`,
`ffn.gate` `.up` `.down`. One table a format maps its names to them.

Rotary channels: Hugging Face pairs channel i with i + head_dim / 2, as our layers do. Meta and GGUF pair 2i with 2i +
1; their query and key rows are reordered here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from runtime.engine.model_config import CheckpointInvalid, ModelConfig


def our_name(name: str, table: Mapping[str, str], layer: str) -> str | None:
    """Our name for a weight of a checkpoint; None where we have none.

    name: the checkpoint's, without prefix and `.weight`. table: the format's names and ours. layer: a pattern for names
    within a layer, with one group for the layer's number and one for the rest.
    """
    match = re.fullmatch(layer, name)
    if match is None:
        return table.get(name)
    known = table.get(match[2])
    return None if known is None else f"layers.{int(match[1])}.{known}"


def unknown_tensor(path: Path, name: str) -> CheckpointInvalid:
    """The error for a tensor that has no name of ours, for the caller to raise."""
    return CheckpointInvalid(
        f"`{path}` has a tensor `{name}` that a Llama model has no place for.",
        hint="biases and adapters are not supported",
    )


def half_split_rows(name: str, weight: Tensor, config: ModelConfig, path: Path) -> Tensor:
    """The weight with its rows in our rotary order, if it makes queries or keys; any other as it is.

    weight: [heads * head_dim, hidden_size], any dtype. Returns the same shape and dtype: in each head, row 2i goes to
    i and row 2i + 1 to i + head_dim / 2. Raises CheckpointInvalid for a shape that is not whole heads.
    """
    if not name.endswith(("attention.q", "attention.k")):
        return weight
    if weight.dim() != 2 or weight.shape[0] % config.head_dim:
        raise CheckpointInvalid(
            f"Tensor `{name}` of `{path}` has the shape {list(weight.shape)}, not heads of {config.head_dim} rows."
        )
    pairs = weight.view(-1, config.head_dim // 2, 2, weight.shape[1])
    return pairs.transpose(1, 2).reshape(weight.shape)
