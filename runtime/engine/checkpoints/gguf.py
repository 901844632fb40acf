"""A GGUF file as a checkpoint: its metadata as a `ModelConfig`, its tensors as weights by our names.

Keys and tensor names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The container is `gguf.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.engine.checkpoints.fields import NUMBER, checked_config, read_field, unsupported_architecture
from runtime.engine.checkpoints.gguf_file import GGUFFile, GGUFTensor, read_gguf
from runtime.engine.checkpoints.kinds import refuse_gguf
from runtime.engine.checkpoints.model_config import SUPPORTED_ARCHITECTURES, CheckpointInvalid, ModelConfig, RopeScaling
from runtime.engine.checkpoints.weights import check_shapes, half_split_rows, our_name, unknown_tensor

if TYPE_CHECKING:
    from torch import Tensor

_GGUF_NAMES = {
    "token_embd": "embedding",
    "output_norm": "norm",
    "output": "head",
    "attn_norm": "attention_norm",
    "attn_q": "attention.q",
    "attn_k": "attention.k",
    "attn_v": "attention.v",
    "attn_output": "attention.o",
    "ffn_norm": "ffn_norm",
    "ffn_gate": "ffn.gate",
    "ffn_up": "ffn.up",
    "ffn_down": "ffn.down",
}


class GGUFCheckpoint:
    """A GGUF file of architecture `llama`.

    Raises CheckpointInvalid, naming file and tensor, for anything that makes it unusable: its table says all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: GGUFFile = read_gguf(path)
        self.config = checked_config(_gguf_config(self.file), path)
        check_shapes(((name, tensor.shape) for name, tensor in self.tensors()), self.config, path)
        for _, tensor in self.tensors():
            tensor.check_type()

    def tensors(self) -> Iterator[tuple[str, GGUFTensor]]:
        """Each weight by our name, as it lies in the file, largest first. Raises CheckpointInvalid for one that we have
        no name for.
        """
        # The embedding is by far the largest. Decoded first, its copy does not add to other weights in memory.
        for tensor in sorted(self.file.tensors.values(), key=lambda tensor: -tensor.size_bytes):
            if tensor.name == "rope_freqs.weight":
                continue
            name = our_name(tensor.name.removesuffix(".weight"), _GGUF_NAMES, r"blk\.(\d+)\.(.+)")
            if name is None:
                raise unknown_tensor(self.path, tensor.name)
            yield name, tensor

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Each weight by our name, decoded: [outputs, inputs] or [hidden_size], float32. Raises CheckpointInvalid."""
        import torch

        for name, tensor in self.tensors():
            values = torch.from_numpy(tensor.dequantize())
            yield name, half_split_rows(name, values, self.config, self.path)


def _gguf_config(file: GGUFFile) -> ModelConfig:
    facts, path = file.metadata, file.path
    refuse_gguf(facts, path)
    architecture = facts.get("general.architecture")
    if architecture not in SUPPORTED_ARCHITECTURES or facts.get("llama.expert_count"):
        raise unsupported_architecture(
            path, f"{architecture} with experts" if architecture == "llama" else architecture
        )
    heads = read_field(facts, "llama.attention.head_count", int, path)
    hidden_size = read_field(facts, "llama.embedding_length", int, path)
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise CheckpointInvalid(f"`{path}` lacks the tensor `token_embd.weight`.")
    end_ids = [facts.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")]
    return ModelConfig(
        architecture=architecture,
        layers=read_field(facts, "llama.block_count", int, path),
        hidden_size=hidden_size,
        heads=heads,
        kv_heads=read_field(facts, "llama.attention.head_count_kv", int, path, heads),
        head_dim=read_field(facts, "llama.attention.key_length", int, path, hidden_size // max(heads, 1)),
        ffn_size=read_field(facts, "llama.feed_forward_length", int, path),
        vocab_size=embedding.shape[0],
        context_length=read_field(facts, "llama.context_length", int, path),
        norm_eps=read_field(facts, "llama.attention.layer_norm_rms_epsilon", NUMBER, path),
        rope_theta=read_field(facts, "llama.rope.freq_base", NUMBER, path, 10000.0),
        rope_scaling=_gguf_rope_scaling(file),
        is_tied="output.weight" not in file.tensors,
        eos_token_ids=tuple(dict.fromkeys(int(id) for id in end_ids if id is not None)),
    )


def _gguf_rope_scaling(file: GGUFFile) -> RopeScaling | None:
    factors = file.tensors.get("rope_freqs.weight")
    if factors is not None:
        return RopeScaling(kind="factors", factors=tuple(factors.dequantize().reshape(-1).tolist()))
    kind = file.metadata.get("llama.rope.scaling.type", "none")
    if kind == "none":
        return None
    if kind != "linear":
        raise CheckpointInvalid(
            f"`{file.path}` scales its rotary positions by `{kind}`.", hint="supported: none, linear, llama3"
        )
    return RopeScaling(kind="linear", factor=read_field(file.metadata, "llama.rope.scaling.factor", NUMBER, file.path))
