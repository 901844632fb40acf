"""Finds the checkpoint at a path, and refuses kinds that this engine cannot read, with a hint at what to use instead.

Knows names, first bytes and a few facts of config files; reads no weights, imports no torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runtime.engine.checkpoints.model_config import CheckpointInvalid

_LFS_POINTER = b"version https://git-lfs"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_PART = re.compile(r"(.+)-\d{5}-of-\d{5}\.gguf")
_SOUND_FORMS = "take its GGUF file, or a folder with its *.safetensors"
EMBEDDING_HINT = (
    "it embeds or ranks: serve its sentence-transformers folder with the provider `inline::sentence-transformers`"
)
# What quantisation methods add to the names of weights: bitsandbytes, GPTQ, AWQ, fp8, compressed-tensors, MXFP4.
_QUANTISED_TENSOR = re.compile(
    r"\.(absmax|quant_map|nested_absmax|quant_state\..*|SCB|qweight|qzeros|scales|g_idx|weight_scale(_inv|_2)?"
    r"|input_scale|weight_packed|weight_shape|weight_zero_point|weight_format)$|_(blocks|scales)$"
)
_ADAPTER_TENSOR = re.compile(r"\.lora_[AB]\b")
# Files of quantisation tools that leave `config.json` unchanged.
_QUANTISATION_FILES = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")


def locate(path: Path) -> Path:
    """The GGUF file, or the folder of a Hugging Face or Meta checkpoint, that `path` names.

    A file inside such a folder means the folder; a folder with one GGUF file means that file. Raises CheckpointInvalid
    where there is no checkpoint, or one of a kind this engine does not read.
    """
    if not path.exists():
        raise CheckpointInvalid(
            f"There is no model at `{path}`.", hint="give a GGUF file or a folder with a checkpoint"
        )
    if path.is_dir():
        try:
            return _within(path)
        except OSError as error:
            raise CheckpointInvalid(f"`{path}` cannot be read: {error.strerror or error}.") from error
    is_shard = path.suffix == ".pth" and (path.parent / "params.json").is_file()
    if path.suffix in (".json", ".safetensors") or is_shard:
        return locate(path.parent)
    refuse_file(path)
    return path


def refuse_pointer(path: Path) -> None:
    """Raises CheckpointInvalid for a file without content: empty, or the pointer that git-lfs leaves in its place."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
    except OSError as error:
        raise CheckpointInvalid(f"`{path}` cannot be opened: {error.strerror or error}.") from error
    if not start:
        raise CheckpointInvalid(f"`{path}` is empty.", hint="download it again")
    if start == _LFS_POINTER:
        raise CheckpointInvalid(
            f"`{path}` is a git-lfs pointer, not the file itself.", hint="run `git lfs pull` in its folder"
        )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises CheckpointInvalid, naming the file, for anything else."""
    value = _read(path)
    if not isinstance(value, dict):
        raise CheckpointInvalid(f"`{path}` does not hold a JSON object.")
    return value


def read_json_list(path: Path) -> list[Any]:
    """The list in a JSON file. Raises CheckpointInvalid, naming the file, for anything else."""
    value = _read(path)
    if not isinstance(value, list):
        raise CheckpointInvalid(f"`{path}` does not hold a JSON list.")
    return value


def _read(path: Path) -> Any:
    refuse_pointer(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointInvalid(f"`{path}` cannot be read: {error}.") from error


def refuse_file(path: Path) -> None:
    """Raises CheckpointInvalid for a file that holds no weights, or holds them in another form."""
    refuse_pointer(path)
    if path.suffix == ".onnx":
        raise CheckpointInvalid(f"`{path}` is an ONNX model.", hint=_SOUND_FORMS)
    if path.suffix in _PICKLES:
        raise CheckpointInvalid(f"`{path}` is a PyTorch pickle, which this engine does not read.", hint=_SOUND_FORMS)


def refuse_gguf(metadata: Mapping[str, Any], path: Path) -> None:
    """Raises CheckpointInvalid for a GGUF file that is only a part of a model, or that writes no text."""
    kind = metadata.get("general.type", "model")
    architecture = metadata.get("general.architecture")
    if metadata.get("split.count", 0) > 1:
        raise _split(path, metadata["split.count"])
    if architecture == "clip" or kind == "mmproj":
        raise CheckpointInvalid(
            f"`{path}` is the vision part (mmproj) of a model.", hint="name the GGUF file of the model itself"
        )
    if kind == "adapter" or "adapter.type" in metadata:
        raise _adapter(path)
    if kind == "imatrix":
        raise CheckpointInvalid(f"`{path}` holds importances for quantising, not a model.", hint=_SOUND_FORMS)
    if "bert" in str(architecture) or f"{architecture}.pooling_type" in metadata:
        raise CheckpointInvalid(
            f"`{path}` is a model of architecture `{architecture}`, which this engine does not run.",
            hint=EMBEDDING_HINT,
        )


def refuse_folder(folder: Path, facts: Mapping[str, Any]) -> None:
    """Raises CheckpointInvalid for a folder of quantised weights. facts: its `config.json` or `params.json`."""
    found = facts.get("quantization_config") or facts.get("compression_config") or facts.get("quantization_args")
    if isinstance(found, Mapping):
        is_bitsandbytes = bool({"load_in_4bit", "load_in_8bit"} & found.keys())
        unnamed = "bitsandbytes" if is_bitsandbytes else "a method without a name"
        raise _quantised(folder, str(found.get("quant_method") or unnamed))
    for name in _QUANTISATION_FILES:
        if (folder / name).is_file():
            raise _quantised(folder, f"the method in `{name}`")


def refuse_tensors(names: Iterable[str], path: Path) -> None:
    """Raises CheckpointInvalid where the names of weights show that they are quantised, or an adapter's."""
    for name in names:
        if _QUANTISED_TENSOR.search(name):
            raise _quantised(path, f"a method that makes tensors such as `{name}`")
        if _ADAPTER_TENSOR.search(name):
            raise _adapter(path)


def is_embedding_model(folder: Path, facts: Mapping[str, Any]) -> bool:
    """Whether a Hugging Face folder holds a model that makes embeddings, or ranks. facts: its `config.json`."""
    marks = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
    return "bert" in str(facts.get("model_type")) or any((folder / mark).is_file() for mark in marks)


def _within(folder: Path) -> Path:
    has_safetensors = any(folder.glob("*.safetensors"))
    if (folder / "adapter_config.json").is_file() and not any(folder.glob("model*.safetensors")):
        raise _adapter(folder)
    if (folder / "params.json").is_file() or ((folder / "config.json").is_file() and has_safetensors):
        return folder
    files = [file for file in sorted(folder.glob("*.gguf")) if not file.name.lower().startswith("mmproj")]
    if len(files) == 1:
        return locate(files[0])
    if files:
        if all(_PART.fullmatch(file.name) for file in files) and len({_PART.sub(r"\1", f.name) for f in files}) == 1:
            raise _split(files[0], len(files))
        named = ", ".join(f"`{file.name}`" for file in files[:5])
        raise CheckpointInvalid(f"`{folder}` holds {len(files)} GGUF files.", hint=f"name one of them: {named}")
    # Nothing readable: the files that are there explain best what is wrong.
    for file in sorted(folder.iterdir()):
        if file.suffix in (".onnx", *_PICKLES) and file.is_file() and file.stem != "training_args":
            refuse_file(file)
    if (folder / "onnx").is_dir() and not has_safetensors:
        raise CheckpointInvalid(f"`{folder}` holds an ONNX model.", hint=_SOUND_FORMS)
    if (folder / "config.json").is_file():
        return folder
    raise CheckpointInvalid(
        f"`{folder}` holds no checkpoint.",
        hint="expected are config.json with *.safetensors, params.json with consolidated.*.pth, or a .gguf file",
    )


def _quantised(path: Path, way: str) -> CheckpointInvalid:
    return CheckpointInvalid(
        f"`{path}` holds weights quantised by {way}, which this engine does not read.",
        hint="take a GGUF file of the model (`llama-quantize` makes small ones), or its original, unquantised weights",
    )


def _adapter(path: Path) -> CheckpointInvalid:
    return CheckpointInvalid(
        f"`{path}` is an adapter (LoRA), not a whole model.", hint="merge it into its base model and name the result"
    )


def _split(path: Path, parts: int) -> CheckpointInvalid:
    return CheckpointInvalid(
        f"`{path}` is one of {parts} parts.", hint="join them: `llama-gguf-split --merge FIRST-PART WHOLE`"
    )
