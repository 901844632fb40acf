"""Reads an encoder from a sentence-transformers folder: its weights, by our names. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from runtime.engine.checkpoint_kinds import locate, refuse_pointer, refuse_tensors
from runtime.engine.encoder import SentenceEncoder
from runtime.engine.encoder_config import EncoderConfig
from runtime.engine.model_config import CheckpointInvalid
from runtime.engine.models.bert import BertEncoder


def load_encoder(folder: Path, device: str = "auto") -> SentenceEncoder:
    """The encoder in a sentence-transformers folder, in float32. device: a torch device; `auto` takes CUDA if present.

    Raises CheckpointInvalid, naming the file, for weights that are missing, damaged or of the wrong shape.
    """
    _refuse_other_forms(folder)
    config = EncoderConfig.read(folder)
    place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    with torch.device("meta"):
        model = BertEncoder(config)
    path = folder / "model.safetensors"
    refuse_pointer(path)
    try:
        with safe_open(path, framework="pt") as file:
            refuse_tensors(file.keys(), path)
            weights = dict(_renamed(file, config, path))
    except (OSError, SafetensorError) as error:
        raise CheckpointInvalid(
            f"`{path}` is not a usable weights file: {error}.", hint="download the model again"
        ) from error
    try:
        model.load_state_dict({name: weight.to(place, torch.float32) for name, weight in weights.items()}, assign=True)
    except RuntimeError as error:
        raise CheckpointInvalid(f"`{path}` does not fit `{folder / 'config.json'}`: {error}") from error
    return SentenceEncoder(model.eval(), config, place)


def _refuse_other_forms(folder: Path) -> None:
    """Raises CheckpointInvalid for anything but a folder with `model.safetensors`, saying what it is instead."""
    if not folder.is_dir():
        raise CheckpointInvalid(
            f"`{folder}` is a file.", hint="give the sentence-transformers folder with the model's `model.safetensors`"
        )
    if not (folder / "model.safetensors").is_file():
        locate(folder)
        raise CheckpointInvalid(
            f"`{folder / 'model.safetensors'}` is missing.", hint="download the whole repository of the model"
        )


def _renamed(file: Any, config: EncoderConfig, path: Path) -> Iterator[tuple[str, Tensor]]:
    """Our parameters from a checkpoint's, by our names: [outputs, inputs] or [outputs], in the dtype of the file.

    Query, key and value become one matrix: one product instead of three.
    """
    names = set(file.keys())
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in names else ""

    def get(name: str) -> Tensor:
        if prefix + name not in names:
            raise CheckpointInvalid(f"`{path}` lacks the tensor `{prefix}{name}`.")
        tensor: Tensor = file.get_tensor(prefix + name)
        return tensor

    yield "words.weight", get("embeddings.word_embeddings.weight")
    yield "positions.weight", get("embeddings.position_embeddings.weight")
    yield "segment", get("embeddings.token_type_embeddings.weight")[0].clone()
    for kind in ("weight", "bias"):
        yield f"norm.{kind}", get(f"embeddings.LayerNorm.{kind}")
        for layer in range(config.layers):
            theirs, ours = f"encoder.layer.{layer}", f"layers.{layer}"
            parts = [get(f"{theirs}.attention.self.{part}.{kind}") for part in ("query", "key", "value")]
            yield f"{ours}.qkv.{kind}", torch.cat(parts)
            for their_name, our_name in _LAYER_NAMES.items():
                yield f"{ours}.{our_name}.{kind}", get(f"{theirs}.{their_name}.{kind}")


_LAYER_NAMES: Mapping[str, str] = {
    "attention.output.dense": "out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "ffn_norm",
}
