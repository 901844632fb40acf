"""Reads an encoder from its folder: a sentence encoder or a cross-encoder, with its weights by our names.

Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from runtime.engine.checkpoints.encoder_config import EncoderConfig, Family
from runtime.engine.checkpoints.kinds import locate, refuse_tensors
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.checkpoints.safetensors_header import read_header
from runtime.engine.encoders.cross_encoder import CrossEncoder
from runtime.engine.encoders.memory import check_encoder_fits
from runtime.engine.encoders.sentence_encoder import SentenceEncoder, batch_tokens
from runtime.engine.memory.hardware import probe_hardware
from runtime.engine.memory.plan import gpu_number
from runtime.engine.memory.promised import promised_bytes
from runtime.engine.models.bert import BertEncoder, ScoreHead

Get = Callable[[str], Tensor]
"""The tensor of a name."""


def load_encoder(folder: Path, device: str = "auto") -> SentenceEncoder | CrossEncoder:
    """The encoder in a folder as sentence-transformers writes it, in float32. device: cpu, cuda or cuda:N; `auto` takes
    CUDA if present.

    Raises CheckpointInvalid, naming the file, for weights that are missing, damaged or of the wrong shape; DoesNotFit
    before they are read; RequestError and Unavailable for a device that does not exist.
    """
    _refuse_other_forms(folder)
    config = EncoderConfig.read(folder)
    path = folder / "model.safetensors"
    names = frozenset(read_header(path))
    refuse_tensors(names, path)
    place, free_bytes = _place(device)
    check_encoder_fits(config, place=str(place), free_bytes=free_bytes, batch_tokens=batch_tokens(place))
    with torch.device("meta"):
        model = BertEncoder(config)
        head = ScoreHead(config) if config.score_activation else None
    try:
        with safe_open(path, framework="pt") as file:
            get = _reader(file.get_tensor, names, config.family, path)
            weights = dict(_encoder_weights(get, config))
            head_weights = dict(_head_weights(get, config.family)) if head else {}
    except (OSError, SafetensorError) as error:
        raise CheckpointInvalid(
            f"`{path}` is not a usable weights file: {error}.", hint="download the model again"
        ) from error
    try:
        _fill(model, weights, place)
        if head is None:
            return SentenceEncoder(model, config, place)
        _fill(head, head_weights, place)
    except RuntimeError as error:
        raise CheckpointInvalid(f"`{path}` does not fit `{folder / 'config.json'}`: {error}") from error
    return CrossEncoder(model, head, config, place)


def _place(device: str) -> tuple[torch.device, int]:
    """The device, and the bytes that are free there. Raises as `gpu_number`."""
    hardware = probe_hardware()
    number = (0 if hardware.gpus else None) if device == "auto" else gpu_number(device, hardware)
    if number is not None:
        return torch.device("cuda", number), hardware.gpus[number].free_bytes
    return torch.device("cpu"), max(0, hardware.available_bytes - promised_bytes())


def _fill(module: nn.Module, weights: Mapping[str, Tensor], place: torch.device) -> None:
    """Puts weights into a module, in float32. weights: by the module's names, [outputs, inputs] or [outputs], in any
    dtype. Raises RuntimeError for those that do not fit.
    """
    module.load_state_dict({name: weight.to(place, torch.float32) for name, weight in weights.items()}, assign=True)
    module.eval()


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


def _reader(read: Get, names: frozenset[str], family: Family, path: Path) -> Get:
    """Reads tensors by names without the prefix that a checkpoint of a larger model has; it raises CheckpointInvalid
    where one is missing.

    read: a tensor by its whole name: [outputs, inputs] or [outputs], in the dtype of the file. names: the whole ones.
    """
    prefix = f"{family}." if f"{family}.embeddings.word_embeddings.weight" in names else ""

    def get(name: str) -> Tensor:
        whole = name if name.startswith("classifier.") else prefix + name
        if whole not in names:
            raise CheckpointInvalid(f"`{path}` lacks the tensor `{whole}`.")
        return read(whole)

    return get


def _encoder_weights(get: Get, config: EncoderConfig) -> Iterator[tuple[str, Tensor]]:
    """The parameters of a `BertEncoder`: [outputs, inputs] or [outputs], in the dtype of the file.

    Query, key and value become one matrix: one product instead of three. get: from `_reader`.
    """
    yield "words.weight", get("embeddings.word_embeddings.weight")
    yield "positions.weight", get("embeddings.position_embeddings.weight")[config.first_position :]
    yield "segments.weight", get("embeddings.token_type_embeddings.weight")
    for kind in ("weight", "bias"):
        yield f"norm.{kind}", get(f"embeddings.LayerNorm.{kind}")
        for layer in range(config.layers):
            theirs, ours = f"encoder.layer.{layer}", f"layers.{layer}"
            parts = [get(f"{theirs}.attention.self.{part}.{kind}") for part in ("query", "key", "value")]
            yield f"{ours}.qkv.{kind}", torch.cat(parts)
            for their_name, our_name in _LAYER_NAMES.items():
                yield f"{ours}.{our_name}.{kind}", get(f"{theirs}.{their_name}.{kind}")


def _head_weights(get: Get, family: Family) -> Iterator[tuple[str, Tensor]]:
    """The parameters of a `ScoreHead`: [outputs, inputs] or [outputs], in the file's dtype. get: from `_reader`."""
    for their_name, our_name in _HEAD_NAMES[family].items():
        for kind in ("weight", "bias"):
            yield f"{our_name}.{kind}", get(f"{their_name}.{kind}")


_LAYER_NAMES: Mapping[str, str] = {
    "attention.output.dense": "out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "ffn_norm",
}
_HEAD_NAMES: Mapping[Family, Mapping[str, str]] = {
    "bert": {"pooler.dense": "dense", "classifier": "out"},
    "roberta": {"classifier.dense": "dense", "classifier.out_proj": "out"},
}
