"""What the three kinds of checkpoints share about weights: our names for them, and the order of rotary channels.

Our names: `embedding`, `norm`, `head`, and in `layers.N.`: `attention_norm`, `attention.q` `.k` `.v` `.o`, `ffn_norm`,
`ffn.gate` `.up` `.down`. One table a format maps its names to them.

Rotary channels: Hugging Face pairs channel i with i + head_dim / 2, as our layers do. Meta and GGUF pair 2i with 2i +
1; their query and key rows are reordered here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runtime.engine.checkpoints.model_config import CheckpointInvalid, ModelConfig

if TYPE_CHECKING:
    from torch import Tensor


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


def half_split_order(name: str, shape: Sequence[int], config: ModelConfig, path: Path) -> NDArray[np.intp] | None:
    """Which row of a weight comes where in our rotary order, if it makes queries or keys; None for any other.

    shape: [heads * head_dim, hidden_size]. Returns [heads * head_dim], int64: in each head, row 2i goes to i and row 2i
    + 1 to i + head_dim / 2. Raises CheckpointInvalid for a shape that is not whole heads.
    """
    if not name.endswith(("attention.q", "attention.k")):
        return None
    if len(shape) != 2 or shape[0] % config.head_dim:
        raise CheckpointInvalid(
            f"Tensor `{name}` of `{path}` has the shape {list(shape)}, not heads of {config.head_dim} rows."
        )
    return np.arange(shape[0]).reshape(-1, config.head_dim // 2, 2).swapaxes(1, 2).reshape(-1)


def half_split_rows(name: str, weight: Tensor, config: ModelConfig, path: Path) -> Tensor:
    """The weight with its rows in our rotary order, as `half_split_order` says: [outputs, inputs], any dtype."""
    order = half_split_order(name, weight.shape, config, path)
    return weight if order is None else weight[order]


def check_shapes(found: Iterable[tuple[str, Sequence[int]]], config: ModelConfig, path: Path) -> None:
    """Raises CheckpointInvalid, naming the tensor, where one is missing, unknown, given twice or of the wrong shape.

    found: the weights of a checkpoint by our names, with their shapes.
    """
    given = list(found)
    if config.layers > len(given):  # the names of all that is missing could fill the memory
        raise CheckpointInvalid(
            f"`{path}` has {len(given)} tensors, fewer than the {config.layers} layers of its configuration.",
            hint="a file of the checkpoint may be missing",
        )
    expected = ExpectedWeights(config, path)
    for name, shape in given:
        expected.take(name, shape)
    expected.end()


class ExpectedWeights:
    """The weights of a Llama model, as they come one after the other. source: the checkpoint, for messages."""

    def __init__(self, config: ModelConfig, source: object) -> None:
        self._shapes = weight_shapes(config)
        self._missing = dict.fromkeys(self._shapes)
        self._source = source

    def take(self, name: str, shape: Sequence[int]) -> None:
        """Raises CheckpointInvalid for a weight that is unknown, has come already or has another shape."""
        if name not in self._shapes:
            raise CheckpointInvalid(f"`{self._source}` has a tensor `{name}` that a Llama model has no place for.")
        if name not in self._missing:
            raise CheckpointInvalid(f"`{self._source}` has the tensor `{name}` twice.")
        if tuple(shape) != self._shapes[name]:
            raise CheckpointInvalid(
                f"Tensor `{name}` of `{self._source}` has the shape {list(shape)}, "
                f"but its configuration asks for {list(self._shapes[name])}."
            )
        del self._missing[name]

    def end(self) -> None:
        """Raises CheckpointInvalid, naming them, where weights have not come."""
        if self._missing:
            named = ", ".join(f"`{name}`" for name in list(self._missing)[:3])
            more = f" and {len(self._missing) - 3} more" if len(self._missing) > 3 else ""
            raise CheckpointInvalid(
                f"`{self._source}` lacks {named}{more}.", hint="a file of the checkpoint may be missing"
            )


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The weights of a Llama model by our names: [outputs, inputs], norms [hidden_size]."""
    hidden, ffn = config.hidden_size, config.ffn_size
    queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    layer: dict[str, tuple[int, ...]] = {
        "attention_norm": (hidden,),
        "attention.q": (queries, hidden),
        "attention.k": (keys, hidden),
        "attention.v": (keys, hidden),
        "attention.o": (hidden, queries),
        "ffn_norm": (hidden,),
        "ffn.gate": (ffn, hidden),
        "ffn.up": (ffn, hidden),
        "ffn.down": (hidden, ffn),
    }
    ends: dict[str, tuple[int, ...]] = {"embedding": (config.vocab_size, hidden), "norm": (hidden,)}
    if not config.is_tied:
        ends["head"] = (config.vocab_size, hidden)
    return ends | {f"layers.{number}.{name}": shape for number in range(config.layers) for name, shape in layer.items()}
