"""Checkpoints of three kinds behind one face: their shape as a `ModelConfig`, their weights by our names.

    a GGUF file                 model.gguf
    a Hugging Face folder       config.json + *.safetensors (one, or several with an index)
    a Meta folder               params.json + consolidated.*.pth (one, or several shards)

Our names: `embedding`, `norm`, `head`, and in `layers.N.`: `attention_norm`, `attention.q` `.k` `.v` `.o`, `ffn_norm`,
`ffn.gate` `.up` `.down`. One table a format maps its names to them. Knows files and layouts; not devices or working
dtypes.

Rotary channels: Hugging Face pairs channel i with i + head_dim / 2, as our layers do. Meta and GGUF pair 2i with 2i +
1; their query and key rows are reordered here.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from runtime.engine.checkpoint_kinds import (
    EMBEDDING_HINT,
    is_embedding_model,
    locate,
    read_json,
    refuse_folder,
    refuse_gguf,
    refuse_pointer,
    refuse_tensors,
)
from runtime.engine.gguf import GGUFFile, read_gguf
from runtime.engine.model_config import SUPPORTED_ARCHITECTURES, CheckpointInvalid, ModelConfig, RopeScaling


class Checkpoint(Protocol):
    """path: the file or folder. config: read and checked when the checkpoint was opened."""

    path: Path
    config: ModelConfig

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Each weight by our name, one in memory at a time, in the dtype of the file (quantised ones as float32).

        Raises CheckpointInvalid, naming file and tensor, for one that cannot be read or that we have no name for.
        """
        ...


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Recognise and open a checkpoint; tensors are only read by `weights`.

    Raises CheckpointInvalid where there is none, it is damaged, or of a kind or an architecture that we do not run.
    """
    path = locate(Path(path))
    if path.is_file():
        return GGUFCheckpoint(path)
    has_both = (path / "config.json").is_file() and any(path.glob("*.safetensors"))
    is_meta = (path / "params.json").is_file() and not has_both
    return MetaCheckpoint(path) if is_meta else HuggingFaceCheckpoint(path)


class GGUFCheckpoint:
    """A GGUF file of architecture `llama`; keys and tensor names as in ggml's `docs/gguf.md`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: GGUFFile = read_gguf(path)
        self.config = _checked(_gguf_config(self.file), path)

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        # The embedding is the largest by far: first, while nothing else is in memory, its copy raises no peak.
        for tensor in sorted(self.file.tensors.values(), key=lambda tensor: -tensor.data.size):
            if tensor.name == "rope_freqs.weight":
                continue
            name = _our_name(tensor.name.removesuffix(".weight"), _GGUF_NAMES, r"blk\.(\d+)\.(.+)")
            if name is None:
                raise _no_place(self.path, tensor.name)
            values = torch.from_numpy(tensor.dequantize())
            yield name, _half_split(name, values, self.config, self.path)


class HuggingFaceCheckpoint:
    """A folder as `save_pretrained` writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = _checked(_hugging_face_config(path), path)

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        seen: set[str] = set()
        for file in self._files():
            try:
                refuse_pointer(file)
                with safe_open(file, framework="pt", device="cpu") as tensors:
                    refuse_tensors(tensors.keys(), file)
                    for name in tensors.keys():  # noqa: SIM118  # it is no mapping
                        seen.add(name)
                        if name.endswith("rotary_emb.inv_freq") or (name == "lm_head.weight" and self.config.is_tied):
                            continue
                        ours = _our_name(
                            name.removeprefix("model.").removesuffix(".weight"),
                            _HUGGING_FACE_NAMES,
                            r"layers\.(\d+)\.(.+)",
                        )
                        if ours is None:
                            raise _no_place(file, name)
                        yield ours, tensors.get_tensor(name)
            except (SafetensorError, OSError) as error:
                raise CheckpointInvalid(f"`{file}` cannot be read: {error}.", hint="download it again") from error

    def _files(self) -> list[Path]:
        index = self.path / "model.safetensors.index.json"
        if index.is_file():
            names = _field(read_json(index), "weight_map", dict, index).values()
            files = [self.path / name for name in sorted(set(names))]
        else:
            files = sorted(self.path.glob("*.safetensors"))
        missing = [file.name for file in files if not file.is_file()]
        if missing or not files:
            named = ", ".join(f"`{name}`" for name in missing) or "every `*.safetensors` file"
            raise CheckpointInvalid(f"`{self.path}` lacks {named}.", hint="download the whole repository of the model")
        return files


class MetaCheckpoint:
    """A folder as Meta distributes it; several shards are put together along the axis each kind of weight was cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = sorted(path.glob("consolidated.*.pth"))
        if not self.files:
            raise CheckpointInvalid(f"`{path}` has a params.json but no consolidated.*.pth file.")
        self.shards = [_load_pth(file) for file in self.files]
        self.config = _checked(_meta_config(path, self.shards), path)

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        for name in self.shards[0]:
            if name == "rope.freqs":
                continue
            ours = _our_name(name.removesuffix(".weight"), _META_NAMES, r"layers\.(\d+)\.(.+)")
            if ours is None:
                raise _no_place(self.path, name)
            yield ours, _half_split(ours, self._whole(name, ours), self.config, self.path)

    def _whole(self, name: str, ours: str) -> Tensor:
        lacking = [file.name for file, shard in zip(self.files, self.shards, strict=True) if name not in shard]
        if lacking:
            raise CheckpointInvalid(f"`{self.path / lacking[0]}` lacks the tensor `{name}`, which other shards have.")
        parts = [shard[name] for shard in self.shards]
        axis = _cut_axis(ours, parts[0], self.config)
        if len(parts) == 1 or axis is None:
            return parts[0]
        return torch.cat(parts, dim=axis)


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


def _our_name(name: str, table: Mapping[str, str], layer: str) -> str | None:
    """Our name for a weight of theirs. layer: pattern of a name within a layer, with its number and the rest."""
    match = re.fullmatch(layer, name)
    if match is None:
        return table.get(name)
    known = table.get(match[2])
    return None if known is None else f"layers.{int(match[1])}.{known}"


def _no_place(path: Path, name: str) -> CheckpointInvalid:
    return CheckpointInvalid(
        f"`{path}` has a tensor `{name}` that a Llama model has no place for.",
        hint="biases and adapters are not supported",
    )


def _half_split(name: str, weight: Tensor, config: ModelConfig, path: Path) -> Tensor:
    """Queries' and keys' rows, neighbouring pairs reordered to halves; other weights pass. weight: [rows, inputs]."""
    if not name.endswith(("attention.q", "attention.k")):
        return weight
    if weight.dim() != 2 or weight.shape[0] % config.head_dim:
        raise CheckpointInvalid(
            f"Tensor `{name}` of `{path}` has the shape {list(weight.shape)}, not heads of {config.head_dim} rows."
        )
    pairs = weight.view(-1, config.head_dim // 2, 2, weight.shape[1])
    return pairs.transpose(1, 2).reshape(weight.shape)


def _cut_axis(name: str, part: Tensor, config: ModelConfig) -> int | None:
    """Along which axis Meta's model parallelism cut a weight: outputs 0, inputs 1, norms not at all (None)."""
    if part.dim() == 1:
        return None
    if name.endswith(("attention.o", "ffn.down")):
        return 1
    # Llama 2 cut the embedding by channel, Llama 3 by token.
    return 1 if name == "embedding" and part.shape[1] != config.hidden_size else 0


def _checked(config: ModelConfig, path: Path) -> ModelConfig:
    problems = config.problems()
    if problems:
        raise CheckpointInvalid(f"`{path}` describes an impossible model: {'; '.join(problems)}.")
    return config


def _unsupported(path: Path, architecture: object, hint: str | None = None) -> CheckpointInvalid:
    supported = ", ".join(f"`{name}`" for name in SUPPORTED_ARCHITECTURES)
    return CheckpointInvalid(
        f"`{path}` is a model of architecture `{architecture}`, which this engine does not run.",
        hint=hint or f"supported: {supported}",
    )


def _field(source: Mapping[str, Any], key: str, kind: type | tuple[type, ...], path: Path, default: Any = None) -> Any:
    """A value of the right kind. Raises CheckpointInvalid where it is missing without default, or of another kind."""
    value = source.get(key)
    if value is None:
        value = default
    if value is None:
        raise CheckpointInvalid(f"`{path}` does not say `{key}`.")
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise CheckpointInvalid(f"`{path}` says `{key}` is {value!r}, which cannot be right.")
    return value


_NUMBER = (int, float)


def _gguf_config(file: GGUFFile) -> ModelConfig:
    facts, path = file.metadata, file.path
    refuse_gguf(facts, path)
    architecture = facts.get("general.architecture")
    if architecture not in SUPPORTED_ARCHITECTURES or facts.get("llama.expert_count"):
        raise _unsupported(path, f"{architecture} with experts" if architecture == "llama" else architecture)
    heads = _field(facts, "llama.attention.head_count", int, path)
    hidden_size = _field(facts, "llama.embedding_length", int, path)
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise CheckpointInvalid(f"`{path}` lacks the tensor `token_embd.weight`.")
    end_ids = [facts.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")]
    return ModelConfig(
        architecture=architecture,
        layers=_field(facts, "llama.block_count", int, path),
        hidden_size=hidden_size,
        heads=heads,
        kv_heads=_field(facts, "llama.attention.head_count_kv", int, path, heads),
        head_dim=_field(facts, "llama.attention.key_length", int, path, hidden_size // max(heads, 1)),
        ffn_size=_field(facts, "llama.feed_forward_length", int, path),
        vocab_size=embedding.shape[0],
        context_length=_field(facts, "llama.context_length", int, path),
        norm_eps=_field(facts, "llama.attention.layer_norm_rms_epsilon", _NUMBER, path),
        rope_theta=_field(facts, "llama.rope.freq_base", _NUMBER, path, 10000.0),
        rope_scaling=_gguf_rope_scaling(file),
        is_tied="output.weight" not in file.tensors,
        bos_token_id=facts.get("tokenizer.ggml.bos_token_id"),
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
    return RopeScaling(kind="linear", factor=_field(file.metadata, "llama.rope.scaling.factor", _NUMBER, file.path))


def _hugging_face_config(folder: Path) -> ModelConfig:
    path = folder / "config.json"
    facts = read_json(path)
    refuse_folder(folder, facts)
    architectures = facts.get("architectures") or [facts.get("model_type")]
    if is_embedding_model(folder, facts):
        raise _unsupported(path, architectures[0], hint=EMBEDDING_HINT)
    if facts.get("model_type") != "llama" or architectures[0] not in ("LlamaForCausalLM", "llama"):
        raise _unsupported(path, architectures[0])
    for key in ("attention_bias", "mlp_bias"):
        if facts.get(key):
            raise CheckpointInvalid(f"`{path}` says `{key}`, and biases are not supported.")
    heads = _field(facts, "num_attention_heads", int, path)
    hidden_size = _field(facts, "hidden_size", int, path)
    # transformers 5 writes the base and the scaling into one object, before that they were two keys.
    rope = facts.get("rope_parameters") or facts.get("rope_scaling") or {}
    generation = folder / "generation_config.json"
    end_ids = (read_json(generation) if generation.is_file() else {}).get("eos_token_id") or facts.get("eos_token_id")
    return ModelConfig(
        architecture="llama",
        layers=_field(facts, "num_hidden_layers", int, path),
        hidden_size=hidden_size,
        heads=heads,
        kv_heads=_field(facts, "num_key_value_heads", int, path, heads),
        head_dim=_field(facts, "head_dim", int, path, hidden_size // max(heads, 1)),
        ffn_size=_field(facts, "intermediate_size", int, path),
        vocab_size=_field(facts, "vocab_size", int, path),
        context_length=_field(facts, "max_position_embeddings", int, path, 2048),
        norm_eps=_field(facts, "rms_norm_eps", _NUMBER, path, 1e-6),
        rope_theta=_field({**facts, **rope}, "rope_theta", _NUMBER, path, 10000.0),
        rope_scaling=_hugging_face_rope_scaling(rope, path),
        is_tied=_field(facts, "tie_word_embeddings", bool, path, False),
        bos_token_id=facts.get("bos_token_id"),
        eos_token_ids=_ids(end_ids),
    )


def _hugging_face_rope_scaling(rope: Mapping[str, Any], path: Path) -> RopeScaling | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return None
    if kind == "linear":
        return RopeScaling(kind="linear", factor=_field(rope, "factor", _NUMBER, path))
    if kind == "llama3":
        return RopeScaling(
            kind="llama3",
            factor=_field(rope, "factor", _NUMBER, path),
            low_freq_factor=_field(rope, "low_freq_factor", _NUMBER, path),
            high_freq_factor=_field(rope, "high_freq_factor", _NUMBER, path),
            original_context_length=_field(rope, "original_max_position_embeddings", int, path),
        )
    raise CheckpointInvalid(
        f"`{path}` scales its rotary positions by `{kind}`.", hint="supported: default, linear, llama3"
    )


def _ids(value: object) -> tuple[int, ...]:
    """An id, a list of them or nothing, as one kind of value."""
    many: Sequence[object] = value if isinstance(value, list) else [value]
    return tuple(id for id in many if isinstance(id, int))


def _meta_config(folder: Path, shards: Sequence[Mapping[str, Tensor]]) -> ModelConfig:
    """Meta's parameter file leaves out what its code computes; widths are therefore taken from the tensors."""
    path = folder / "params.json"
    facts = read_json(path)
    refuse_folder(folder, facts)
    if "moe_args" in facts or "vision_chunk_size" in facts:
        raise _unsupported(path, "llama4" if "moe_args" in facts else "mllama")
    heads = _field(facts, "n_heads", int, path)
    hidden_size = _field(facts, "dim", int, path)

    def rows(name: str) -> int:
        missing = [file for file, shard in enumerate(shards) if name not in shard or shard[name].dim() != 2]
        if missing:
            raise CheckpointInvalid(f"`{folder / f'consolidated.{missing[0]:02}.pth'}` lacks the tensor `{name}`.")
        return sum(shard[name].shape[0] for shard in shards)

    cut_by_channel = (
        len(shards) > 1 and shards[0].get("tok_embeddings.weight", torch.empty(0, 0)).shape[1] != hidden_size
    )
    is_scaled = bool(facts.get("use_scaled_rope", False))
    theta = _field(facts, "rope_theta", _NUMBER, path, 10000.0)
    scaling = RopeScaling(
        kind="llama3",
        factor=_field(facts, "rope_scaling_factor", _NUMBER, path, 8.0),
        low_freq_factor=1.0,
        high_freq_factor=_field(facts, "rope_high_freq_factor", _NUMBER, path, 4.0),
        original_context_length=8192,
    )
    # The file does not say what the model was trained on: 2 had 4096 tokens, 3 has another base, 3.1 scaling.
    trained = 131072 if is_scaled else 8192 if theta >= 500000 else 4096
    return ModelConfig(
        architecture="llama",
        layers=_field(facts, "n_layers", int, path),
        hidden_size=hidden_size,
        heads=heads,
        kv_heads=_field(facts, "n_kv_heads", int, path, heads),
        head_dim=rows("layers.0.attention.wq.weight") // max(heads, 1),
        ffn_size=rows("layers.0.feed_forward.w1.weight"),
        vocab_size=rows("tok_embeddings.weight") // (len(shards) if cut_by_channel else 1),
        context_length=_field(facts, "max_seq_len", int, path, trained),
        norm_eps=_field(facts, "norm_eps", _NUMBER, path, 1e-5),
        rope_theta=theta,
        rope_scaling=scaling if is_scaled else None,
        is_tied="output.weight" not in shards[0],
    )


def _load_pth(file: Path) -> dict[str, Tensor]:
    """Tensors by name, mapped from the file. Unpickles weights only: a checkpoint must not be able to run code."""
    refuse_pointer(file)
    try:
        shard = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointInvalid(f"`{file}` cannot be read: {first_line}", hint="download it again") from error
    if not isinstance(shard, dict) or not all(isinstance(value, Tensor) for value in shard.values()):
        raise CheckpointInvalid(f"`{file}` is not a dictionary of tensors.")
    return shard
