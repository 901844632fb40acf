"""A Hugging Face folder as a checkpoint: `config.json`, and weights in one or several safetensors files.

Fields and tensor names: transformers, `configuration_llama.py` and `modeling_llama.py`
(https://huggingface.co/docs/transformers/model_doc/llama); files: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from runtime.engine.checkpoints.fields import NUMBER, checked_config, read_field, unsupported_architecture
from runtime.engine.checkpoints.kinds import (
    EMBEDDING_HINT,
    is_embedding_model,
    read_json,
    refuse_folder,
    refuse_tensors,
)
from runtime.engine.checkpoints.model_config import CheckpointInvalid, ModelConfig, RopeScaling
from runtime.engine.checkpoints.safetensors_header import StoredTensor, check_float, read_header
from runtime.engine.checkpoints.weights import check_shapes, our_name, unknown_tensor

_HUGGING_FACE_NAMES = {
    "embed_tokens": "embedding",
    "norm": "norm",
    "lm_head": "head",
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "attention.q",
    "self_attn.k_proj": "attention.k",
    "self_attn.v_proj": "attention.v",
    "self_attn.o_proj": "attention.o",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn.gate",
    "mlp.up_proj": "ffn.up",
    "mlp.down_proj": "ffn.down",
}


class HuggingFaceCheckpoint:
    """A folder as `save_pretrained` writes it.

    Raises CheckpointInvalid, naming file and tensor, for anything that makes it unusable: the headers say all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = checked_config(_hugging_face_config(path), path)
        headers = {file: self._named(file, read_header(file)) for file in self._files()}
        check_shapes(
            ((ours, tensor.shape) for found in headers.values() for ours, _, tensor in found), self.config, path
        )
        self._places = {file: [(ours, theirs) for ours, theirs, _ in found] for file, found in headers.items()}

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Each weight by our name: [outputs, inputs] or [hidden_size], in the dtype of the file.

        Raises CheckpointInvalid for a file that cannot be read any more.
        """
        for file, places in self._places.items():
            try:
                with safe_open(file, framework="pt", device="cpu") as tensors:
                    for ours, theirs in places:
                        yield ours, tensors.get_tensor(theirs)
            except (SafetensorError, OSError) as error:
                raise CheckpointInvalid(f"`{file}` cannot be read: {error}.", hint="download it again") from error

    def _named(self, file: Path, header: Mapping[str, StoredTensor]) -> list[tuple[str, str, StoredTensor]]:
        """The weights of a file: our name, the file's, and how it is stored."""
        refuse_tensors(header, file)
        found = []
        for name, tensor in header.items():
            if name.endswith("rotary_emb.inv_freq") or (name == "lm_head.weight" and self.config.is_tied):
                continue
            ours = our_name(
                name.removeprefix("model.").removesuffix(".weight"), _HUGGING_FACE_NAMES, r"layers\.(\d+)\.(.+)"
            )
            if ours is None:
                raise unknown_tensor(file, name)
            check_float(name, tensor, file)
            found.append((ours, name, tensor))
        return found

    def _files(self) -> list[Path]:
        index = self.path / "model.safetensors.index.json"
        if index.is_file():
            names = read_field(read_json(index), "weight_map", dict, index).values()
            files = [self.path / name for name in sorted(set(names))]
        else:
            files = sorted(self.path.glob("*.safetensors"))
        missing = [file.name for file in files if not file.is_file()]
        if missing or not files:
            named = ", ".join(f"`{name}`" for name in missing) or "every `*.safetensors` file"
            raise CheckpointInvalid(f"`{self.path}` lacks {named}.", hint="download the whole repository of the model")
        return files


def _hugging_face_config(folder: Path) -> ModelConfig:
    path = folder / "config.json"
    facts = read_json(path)
    refuse_folder(folder, facts)
    architectures = facts.get("architectures") or [facts.get("model_type")]
    if is_embedding_model(folder, facts):
        raise unsupported_architecture(path, architectures[0], hint=EMBEDDING_HINT)
    if facts.get("model_type") != "llama" or architectures[0] not in ("LlamaForCausalLM", "llama"):
        raise unsupported_architecture(path, architectures[0])
    for key in ("attention_bias", "mlp_bias"):
        if facts.get(key):
            raise CheckpointInvalid(f"`{path}` says `{key}`, and biases are not supported.")
    heads = read_field(facts, "num_attention_heads", int, path)
    hidden_size = read_field(facts, "hidden_size", int, path)
    # transformers 5 writes the base and the scaling into one object; older versions wrote two keys.
    rope = facts.get("rope_parameters") or facts.get("rope_scaling") or {}
    generation = folder / "generation_config.json"
    end_ids = (read_json(generation) if generation.is_file() else {}).get("eos_token_id") or facts.get("eos_token_id")
    return ModelConfig(
        architecture="llama",
        layers=read_field(facts, "num_hidden_layers", int, path),
        hidden_size=hidden_size,
        heads=heads,
        kv_heads=read_field(facts, "num_key_value_heads", int, path, heads),
        head_dim=read_field(facts, "head_dim", int, path, hidden_size // max(heads, 1)),
        ffn_size=read_field(facts, "intermediate_size", int, path),
        vocab_size=read_field(facts, "vocab_size", int, path),
        context_length=read_field(facts, "max_position_embeddings", int, path, 2048),
        norm_eps=read_field(facts, "rms_norm_eps", NUMBER, path, 1e-6),
        rope_theta=read_field({**facts, **rope}, "rope_theta", NUMBER, path, 10000.0),
        rope_scaling=_hugging_face_rope_scaling(rope, path),
        is_tied=read_field(facts, "tie_word_embeddings", bool, path, False),
        eos_token_ids=_ids(end_ids),
    )


def _hugging_face_rope_scaling(rope: Mapping[str, Any], path: Path) -> RopeScaling | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return None
    if kind == "linear":
        return RopeScaling(kind="linear", factor=read_field(rope, "factor", NUMBER, path))
    if kind == "llama3":
        return RopeScaling(
            kind="llama3",
            factor=read_field(rope, "factor", NUMBER, path),
            low_freq_factor=read_field(rope, "low_freq_factor", NUMBER, path),
            high_freq_factor=read_field(rope, "high_freq_factor", NUMBER, path),
            original_context_length=read_field(rope, "original_max_position_embeddings", int, path),
        )
    raise CheckpointInvalid(
        f"`{path}` scales its rotary positions by `{kind}`.", hint="supported: default, linear, llama3"
    )


def _ids(value: object) -> tuple[int, ...]:
    """One id, a list of them or nothing, as a tuple."""
    many: Sequence[object] = value if isinstance(value, list) else [value]
    return tuple(id for id in many if isinstance(id, int))
