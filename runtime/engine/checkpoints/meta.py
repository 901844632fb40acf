"""A folder as Meta distributes it: `params.json`, and weights in one or several `consolidated.*.pth` shards.

Fields, tensor names and the axes along which shards are cut: https://github.com/meta-llama/llama-models,
`models/llama3/args.py` and `models/llama3/model.py`.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from runtime.engine.checkpoints.fields import NUMBER, checked_config, read_field, unsupported_architecture
from runtime.engine.checkpoints.kinds import read_json, refuse_folder, refuse_pointer
from runtime.engine.checkpoints.model_config import CheckpointInvalid, ModelConfig, RopeScaling
from runtime.engine.checkpoints.weights import check_shapes, half_split_rows, our_name, unknown_tensor

_META_NAMES = {
    "tok_embeddings": "embedding",
    "norm": "norm",
    "output": "head",
    "attention_norm": "attention_norm",
    "attention.wq": "attention.q",
    "attention.wk": "attention.k",
    "attention.wv": "attention.v",
    "attention.wo": "attention.o",
    "ffn_norm": "ffn_norm",
    "feed_forward.w1": "ffn.gate",
    "feed_forward.w3": "ffn.up",
    "feed_forward.w2": "ffn.down",
}


class MetaCheckpoint:
    """A folder as Meta distributes it; shards are joined along the axis on which each kind of weight was cut.

    Raises CheckpointInvalid, naming file and tensor, for anything that makes it unusable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = sorted(path.glob("consolidated.*.pth"))
        if not self.files:
            raise CheckpointInvalid(f"`{path}` has a params.json but no consolidated.*.pth file.")
        self.shards = [_load_pth(file) for file in self.files]
        self.config = checked_config(_meta_config(path, self.shards), path)
        check_shapes(((ours, self._shape(name, ours)) for name, ours in self._names()), self.config, path)

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Each weight by our name, whole: [outputs, inputs] or [hidden_size], in the dtype of the shards."""
        for name, ours in self._names():
            parts = [shard[name] for shard in self.shards]
            axis = _cut_axis(ours, parts[0], self.config)
            whole = parts[0] if len(parts) == 1 or axis is None else torch.cat(parts, dim=axis)
            yield ours, half_split_rows(ours, whole, self.config, self.path)

    def _names(self) -> Iterator[tuple[str, str]]:
        """Each weight by its name in the shards, and by ours. Raises CheckpointInvalid where we have none."""
        for name in self.shards[0]:
            if name == "rope.freqs":
                continue
            ours = our_name(name.removesuffix(".weight"), _META_NAMES, r"layers\.(\d+)\.(.+)")
            if ours is None:
                raise unknown_tensor(self.path, name)
            yield name, ours

    def _shape(self, name: str, ours: str) -> list[int]:
        """The shape of a whole weight. Raises CheckpointInvalid where shards lack it, do not fit together, or hold
        something else than floating-point numbers.
        """
        lacking = [file.name for file, shard in zip(self.files, self.shards, strict=True) if name not in shard]
        if lacking:
            raise CheckpointInvalid(f"`{self.path / lacking[0]}` lacks the tensor `{name}`, which other shards have.")
        parts = [shard[name] for shard in self.shards]
        axis = _cut_axis(ours, parts[0], self.config)
        whole = list(parts[0].shape)
        for file, part in zip(self.files, parts, strict=True):
            if not part.is_floating_point():
                kind = str(part.dtype).removeprefix("torch.")
                raise CheckpointInvalid(f"Tensor `{name}` of `{file}` is stored as {kind}, not as floating point.")
            if not _fits(part, parts[0], axis):
                raise CheckpointInvalid(
                    f"Tensor `{name}` of `{file}` has the shape {list(part.shape)}, which does not fit the"
                    f" {list(parts[0].shape)} of the first shard."
                )
        if len(parts) > 1 and axis is not None:
            whole[axis] = sum(part.shape[axis] for part in parts)
        return whole


def _fits(part: Tensor, first: Tensor, axis: int | None) -> bool:
    """Whether a shard's part of a weight has the first one's axes, but for the length of `axis`.

    part, first: [outputs, inputs] or [hidden_size], any dtype.
    """
    return part.dim() == first.dim() and all(n == axis or part.shape[n] == first.shape[n] for n in range(first.dim()))


def _cut_axis(name: str, part: Tensor, config: ModelConfig) -> int | None:
    """The axis on which Meta's model parallelism cut a weight: outputs 0, inputs 1; None for norms, which are whole.

    part: one shard's [outputs, inputs] or [hidden_size], any dtype; either axis may be a part of the whole.
    """
    if part.dim() == 1:
        return None
    if name.endswith(("attention.o", "ffn.down")):
        return 1
    # Llama 2 cut the embedding by channel, Llama 3 by token.
    return 1 if name == "embedding" and part.shape[1] != config.hidden_size else 0


def _meta_config(folder: Path, shards: Sequence[Mapping[str, Tensor]]) -> ModelConfig:
    """Meta's parameter file leaves out what its code computes; widths are therefore taken from the tensors.

    shards: tensors by name, [outputs, inputs] or [hidden_size], any dtype.
    """
    path = folder / "params.json"
    facts = read_json(path)
    refuse_folder(folder, facts)
    if "moe_args" in facts or "vision_chunk_size" in facts:
        raise unsupported_architecture(path, "llama4" if "moe_args" in facts else "mllama")
    heads = read_field(facts, "n_heads", int, path)
    hidden_size = read_field(facts, "dim", int, path)

    def rows(name: str) -> int:
        missing = [file for file, shard in enumerate(shards) if name not in shard or shard[name].dim() != 2]
        if missing:
            raise CheckpointInvalid(f"`{folder / f'consolidated.{missing[0]:02}.pth'}` lacks the tensor `{name}`.")
        return sum(shard[name].shape[0] for shard in shards)

    cut_by_channel = (
        len(shards) > 1 and shards[0].get("tok_embeddings.weight", torch.empty(0, 0)).shape[1] != hidden_size
    )
    is_scaled = bool(facts.get("use_scaled_rope", False))
    theta = read_field(facts, "rope_theta", NUMBER, path, 10000.0)
    scaling = RopeScaling(
        kind="llama3",
        factor=read_field(facts, "rope_scaling_factor", NUMBER, path, 8.0),
        low_freq_factor=1.0,
        high_freq_factor=read_field(facts, "rope_high_freq_factor", NUMBER, path, 4.0),
        original_context_length=8192,
    )
    # The file does not say how long a context the model was trained on. Llama 2: 4096 tokens. Llama 3 has a larger
    # rotary base, and 3.1 scaling as well.
    trained = 131072 if is_scaled else 8192 if theta >= 500000 else 4096
    return ModelConfig(
        architecture="llama",
        layers=read_field(facts, "n_layers", int, path),
        hidden_size=hidden_size,
        heads=heads,
        kv_heads=read_field(facts, "n_kv_heads", int, path, heads),
        head_dim=rows("layers.0.attention.wq.weight") // max(heads, 1),
        ffn_size=rows("layers.0.feed_forward.w1.weight"),
        vocab_size=rows("tok_embeddings.weight") // (len(shards) if cut_by_channel else 1),
        context_length=read_field(facts, "max_seq_len", int, path, trained),
        norm_eps=read_field(facts, "norm_eps", NUMBER, path, 1e-5),
        rope_theta=theta,
        rope_scaling=scaling if is_scaled else None,
        is_tied="output.weight" not in shards[0],
    )


def _load_pth(file: Path) -> dict[str, Tensor]:
    """A shard's tensors by name, mapped from the file: [outputs, inputs] or [hidden_size], in the dtype of the file.

    Unpickles weights only: a checkpoint must not be able to run code.
    """
    refuse_pointer(file)
    try:
        shard = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointInvalid(f"`{file}` cannot be read: {first_line}", hint="download it again") from error
    if not isinstance(shard, dict) or not all(isinstance(value, Tensor) for value in shard.values()):
        raise CheckpointInvalid(f"`{file}` is not a dictionary of tensors.")
    return shard
