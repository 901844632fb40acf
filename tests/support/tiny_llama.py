"""Small random Llama models in every format, and their logits computed slowly and obviously. What engine tests share.

The reference is written for reading: one sequence, float64, whole attention matrices, loops over heads. It shares no
code with the engine but `ModelConfig`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from runtime.engine.checkpoints.model_config import ModelConfig, RopeScaling
from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.memory.plan import MemoryPlan
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.torch_runner import TorchRunner
from runtime.engine.scheduling.scheduler import Chunk
from runtime.engine.scheduling.sequence import Sequence

TINY = ModelConfig(
    architecture="llama",
    layers=2,
    hidden_size=64,
    heads=4,
    kv_heads=2,
    head_dim=24,  # not hidden_size / heads
    ffn_size=96,
    vocab_size=128,
    context_length=256,
    norm_eps=1e-5,
    rope_theta=10000.0,
    eos_token_ids=(2,),
)
LLAMA3 = RopeScaling(kind="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_context_length=64)

_HUGGING_FACE = {
    "embedding": "model.embed_tokens",
    "norm": "model.norm",
    "head": "lm_head",
    "attention_norm": "input_layernorm",
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.o": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn.gate": "mlp.gate_proj",
    "ffn.up": "mlp.up_proj",
    "ffn.down": "mlp.down_proj",
}
_META = {
    "embedding": "tok_embeddings",
    "norm": "norm",
    "head": "output",
    "attention_norm": "attention_norm",
    "attention.q": "attention.wq",
    "attention.k": "attention.wk",
    "attention.v": "attention.wv",
    "attention.o": "attention.wo",
    "ffn_norm": "ffn_norm",
    "ffn.gate": "feed_forward.w1",
    "ffn.up": "feed_forward.w3",
    "ffn.down": "feed_forward.w2",
}
_GGUF = {
    "embedding": "token_embd",
    "norm": "output_norm",
    "head": "output",
    "attention_norm": "attn_norm",
    "attention.q": "attn_q",
    "attention.k": "attn_k",
    "attention.v": "attn_v",
    "attention.o": "attn_output",
    "ffn_norm": "ffn_norm",
    "ffn.gate": "ffn_gate",
    "ffn.up": "ffn_up",
    "ffn.down": "ffn_down",
}


def tiny_config(**changes: Any) -> ModelConfig:
    return replace(TINY, **changes)


def random_weights(config: ModelConfig, seed: int = 0) -> dict[str, Tensor]:
    """Weights by our names, float32, with a spread that makes wrong scales and rotations visible."""
    random = torch.Generator().manual_seed(seed)
    q_rows, kv_rows = config.heads * config.head_dim, config.kv_heads * config.head_dim
    shapes: dict[str, tuple[int, ...]] = {"embedding": (config.vocab_size, config.hidden_size)}
    for layer in range(config.layers):
        shapes |= {
            f"layers.{layer}.attention_norm": (config.hidden_size,),
            f"layers.{layer}.attention.q": (q_rows, config.hidden_size),
            f"layers.{layer}.attention.k": (kv_rows, config.hidden_size),
            f"layers.{layer}.attention.v": (kv_rows, config.hidden_size),
            f"layers.{layer}.attention.o": (config.hidden_size, q_rows),
            f"layers.{layer}.ffn_norm": (config.hidden_size,),
            f"layers.{layer}.ffn.gate": (config.ffn_size, config.hidden_size),
            f"layers.{layer}.ffn.up": (config.ffn_size, config.hidden_size),
            f"layers.{layer}.ffn.down": (config.hidden_size, config.ffn_size),
        }
    shapes["norm"] = (config.hidden_size,)
    if not config.is_tied:
        shapes["head"] = (config.vocab_size, config.hidden_size)
    spread = {1: 0.2, 2: 0.25}
    return {
        name: torch.randn(shape, generator=random) * spread[len(shape)] + (1 if len(shape) == 1 else 0)
        for name, shape in shapes.items()
    }


def _their_name(name: str, table: dict[str, str], layers: str) -> str:
    if not name.startswith("layers."):
        return table[name] + ".weight"
    _, number, rest = name.split(".", 2)
    return f"{layers}.{number}.{table[rest]}.weight"


def _neighbours(weight: Tensor, head_dim: int) -> Tensor:
    """Rows from halves (i, i + head_dim / 2) to neighbouring pairs (2i, 2i + 1), one at a time."""
    out = torch.empty_like(weight)
    for head in range(len(weight) // head_dim):
        for i in range(head_dim // 2):
            out[head * head_dim + 2 * i] = weight[head * head_dim + i]
            out[head * head_dim + 2 * i + 1] = weight[head * head_dim + head_dim // 2 + i]
    return out


def write_hugging_face(folder: Path, config: ModelConfig, weights: dict[str, Tensor], *, files: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    named = {_their_name(name, _HUGGING_FACE, "model.layers"): tensor for name, tensor in weights.items()}
    facts: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": config.layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.ffn_size,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "tie_word_embeddings": config.is_tied,
        "bos_token_id": 1,
        "eos_token_id": list(config.eos_token_ids),
    }
    scaling = config.rope_scaling
    if scaling is not None:
        facts["rope_scaling"] = {
            "rope_type": scaling.kind,
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_context_length,
        }
    (folder / "config.json").write_text(json.dumps(facts))
    if files == 1:
        save_file(named, folder / "model.safetensors")
        return folder
    where: dict[str, str] = {}
    for number in range(files):
        part = dict(list(named.items())[number::files])
        file = f"model-{number + 1:05}-of-{files:05}.safetensors"
        save_file(part, folder / file)
        where |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return folder


def write_meta(
    folder: Path, config: ModelConfig, weights: dict[str, Tensor], *, shards: int = 1, embedding_axis: int = 0
) -> Path:
    """embedding_axis: 1 as Llama 2 cut it, 0 as Llama 3 does."""
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {
        "dim": config.hidden_size,
        "n_layers": config.layers,
        "n_heads": config.heads,
        "n_kv_heads": config.kv_heads,
        "vocab_size": -1,
        "multiple_of": 32,
        "norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
    }
    if config.rope_scaling is not None:
        facts["use_scaled_rope"] = True
        facts["rope_scaling_factor"] = config.rope_scaling.factor
    (folder / "params.json").write_text(json.dumps(facts))
    parts: list[dict[str, Tensor]] = [{"rope.freqs": torch.zeros(4)} for _ in range(shards)]
    for name, tensor in weights.items():
        theirs = _their_name(name, _META, "layers")
        stored = _neighbours(tensor, config.head_dim) if name.endswith((".q", ".k")) else tensor
        axis = 1 if name.endswith((".o", ".down")) else embedding_axis if name == "embedding" else 0
        cuts = [stored] * shards if stored.dim() == 1 else stored.chunk(shards, dim=axis)
        for part, cut in zip(parts, cuts, strict=True):
            part[theirs] = cut.clone()
    for number, part in enumerate(parts):
        torch.save(part, folder / f"consolidated.{number:02}.pth")
    return folder


def write_gguf(path: Path, config: ModelConfig, weights: dict[str, Tensor], *, kind: str = "F32") -> Path:
    """kind: of the matrices, one that the package `gguf` writes. Those whose rows are not whole blocks are F16, as
    llama.cpp writes them.
    """
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.layers)
    writer.add_context_length(config.context_length)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.ffn_size)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_token_list([f"token {number}" for number in range(config.vocab_size)])
    if config.rope_scaling is not None:
        writer.add_tensor("rope_freqs.weight", np.array(config.rope_scaling.factors, np.float32))
    for name, tensor in weights.items():
        stored = _neighbours(tensor, config.head_dim) if name.endswith((".q", ".k")) else tensor
        if stored.dim() == 1 or kind == "F32":
            writer.add_tensor(_their_name(name, _GGUF, "blk"), stored.numpy())
            continue
        type = gguf.GGMLQuantizationType[kind]
        if stored.shape[1] % gguf.GGML_QUANT_SIZES[type][0]:
            type = gguf.GGMLQuantizationType.F16
        writer.add_tensor(_their_name(name, _GGUF, "blk"), gguf.quants.quantize(stored.numpy(), type), raw_dtype=type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def slow_logits(config: ModelConfig, weights: dict[str, Tensor], tokens: list[int]) -> Tensor:
    """[tokens, vocab], float64."""
    w = {name: tensor.double() for name, tensor in weights.items()}

    def norm(x: Tensor, weight: Tensor) -> Tensor:
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + config.norm_eps) * weight

    frequencies = [_frequency(config, i) for i in range(config.head_dim // 2)]

    def rotate(x: Tensor) -> Tensor:
        """x: [tokens, head_dim]."""
        out, half, positions = x.clone(), config.head_dim // 2, torch.arange(len(x), dtype=torch.float64)
        for i, frequency in enumerate(frequencies):
            cos, sin = torch.cos(positions * frequency), torch.sin(positions * frequency)
            a, b = x[:, i], x[:, i + half]
            out[:, i], out[:, i + half] = a * cos - b * sin, b * cos + a * sin
        return out

    x = w["embedding"][tokens]
    future = torch.ones(len(tokens), len(tokens), dtype=torch.bool).triu(1)
    for layer in range(config.layers):
        at = f"layers.{layer}."
        h = norm(x, w[at + "attention_norm"])
        d = config.head_dim
        q, k, v = (h @ w[at + f"attention.{name}"].T for name in "qkv")
        heads = []
        for head in range(config.heads):
            kv = head // (config.heads // config.kv_heads)
            scores = rotate(q[:, head * d : head * d + d]) @ rotate(k[:, kv * d : kv * d + d]).T / math.sqrt(d)
            heads.append(scores.masked_fill(future, -math.inf).softmax(-1) @ v[:, kv * d : kv * d + d])
        x = x + torch.cat(heads, dim=1) @ w[at + "attention.o"].T
        h = norm(x, w[at + "ffn_norm"])
        gate = h @ w[at + "ffn.gate"].T
        x = x + (gate * torch.sigmoid(gate) * (h @ w[at + "ffn.up"].T)) @ w[at + "ffn.down"].T
    return norm(x, w["norm"]) @ w["embedding" if config.is_tied else "head"].T


def _frequency(config: ModelConfig, i: int) -> float:
    """Radians per position of pair i, after the Llama 3.1 model card's rules where they apply."""
    frequency = math.pow(config.rope_theta, -2 * i / config.head_dim)
    scaling = config.rope_scaling
    if scaling is None:
        return frequency
    if scaling.kind == "linear":
        return frequency / scaling.factor
    if scaling.kind == "factors":
        return frequency / scaling.factors[i]
    wavelength = 2 * math.pi / frequency
    if wavelength < scaling.original_context_length / scaling.high_freq_factor:
        return frequency
    if wavelength > scaling.original_context_length / scaling.low_freq_factor:
        return frequency / scaling.factor
    smooth = (scaling.original_context_length / wavelength - scaling.low_freq_factor) / (
        scaling.high_freq_factor - scaling.low_freq_factor
    )
    return (1 - smooth) * frequency / scaling.factor + smooth * frequency


def load_runner(path: Path, *, pages: int = 65, page_size: int = 4, dtype: str = "float32") -> TorchRunner:
    """A runner on the CPU with small pages, so that a short sequence crosses many."""
    checkpoint = open_checkpoint(path)
    plan = MemoryPlan(
        device="cpu",
        dtype=dtype,  # type: ignore[arg-type]  # a literal where it is called
        weights_bytes=0,
        page_size=page_size,
        pages=pages,
        context_tokens=checkpoint.config.context_length,
    )
    with torch.inference_mode():
        runner = TorchRunner(checkpoint.config, plan)
        runner.model.load(checkpoint.weights(), path)
    return runner


def new_sequence(number: int, tokens: list[int], pages: list[int], **params: Any) -> Sequence:
    return Sequence(
        id=number,
        tokens=list(tokens),
        prompt_length=len(tokens),
        params=SamplingParams(**params),
        seed=params.get("seed") or 0,
        max_length=10_000,
        pages=pages,
    )


def forward(runner: TorchRunner, steps: list[list[tuple[Sequence, int]]]) -> dict[int, Tensor]:
    """Run steps of (sequence, tokens); the logits of every token by sequence id: [tokens, vocab]."""
    found: dict[int, list[Tensor]] = {}
    with torch.inference_mode():
        for step in steps:
            chunks = [Chunk(sequence, count, count == sequence.pending) for sequence, count in step]
            logits = runner.model.logits(runner.forward(chunks))
            for chunk, rows in zip(chunks, torch.split(logits, [chunk.count for chunk in chunks]), strict=True):
                found.setdefault(chunk.sequence.id, []).append(rows)
                chunk.sequence.computed += chunk.count
    return {number: torch.cat(rows) for number, rows in found.items()}


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """|ours - theirs| / |theirs|, Euclidean, in float64."""
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())


Writer = Callable[[Path, ModelConfig, dict[str, Tensor]], Path]
