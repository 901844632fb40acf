"""What users give for a model and is none that we read: a short error that says what it is and what to take."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file

from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.encoders.weights import load_encoder
from runtime.engine.text.loading import load_tokenizer
from tests.support.tiny_encoder import write_embedder
from tests.support.tiny_llama import random_weights, tiny_config, write_gguf, write_hugging_face, write_meta

CONFIG = tiny_config()
WEIGHTS = random_weights(CONFIG)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 123\n"
Damage = Callable[[Path], Path]
"""Given an empty folder, makes what a user might name, and returns its path."""


def hugging_face(folder: Path) -> Path:
    return write_hugging_face(folder, CONFIG, WEIGHTS)


def with_config(**facts: Any) -> Damage:
    def make(folder: Path) -> Path:
        path = hugging_face(folder) / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
        return folder

    return make


def with_files(**files: str) -> Damage:
    """More files in a sound folder; `__` in a name stands for the dot."""

    def make(folder: Path) -> Path:
        hugging_face(folder)
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_text(content)
        return folder

    return make


def with_tensor(name: str) -> Damage:
    def make(folder: Path) -> Path:
        file = hugging_face(folder) / "model.safetensors"
        save_file({**load_file(file), name: torch.zeros(2, dtype=torch.uint8)}, file)
        return folder

    return make


def only(*names: str, content: str = "x", config: bool = True, of: Damage = hugging_face) -> Damage:
    """A model's folder without safetensors that holds `names`."""

    def make(folder: Path) -> Path:
        of(folder)
        (folder / "model.safetensors").unlink()
        if not config:
            (folder / "config.json").unlink()
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content)
        return folder

    return make


def the_file(name: str, content: str = "x") -> Damage:
    return lambda folder: only(name, content=content, config=False)(folder) / name


def a_gguf(architecture: str, **facts: Any) -> Damage:
    def make(folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        writer = gguf.GGUFWriter(folder / "model.gguf", architecture)
        for key, value in facts.items():
            add = writer.add_string if isinstance(value, str) else writer.add_uint16
            add(key.replace("__", "."), value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return folder / "model.gguf"

    return make


def with_pointer(name: str, writer: Callable[..., Path] = write_hugging_face) -> Damage:
    def make(folder: Path) -> Path:
        writer(folder, CONFIG, WEIGHTS)
        (folder / name).write_text(POINTER)
        return folder

    return make


QUANTISED = ("quantised by", "`llama-quantize`")
ADAPTER = ("an adapter", "merge it")
PICKLE = ("PyTorch pickle", "safetensors")
KINDS: dict[str, tuple[Damage, str, str]] = {
    **{
        f"{method} folder": (with_config(quantization_config={"quant_method": method}), f"by {method},", QUANTISED[1])
        for method in ("bitsandbytes", "gptq", "awq", "fp8", "mxfp4", "compressed-tensors")
    },
    "older bitsandbytes": (with_config(quantization_config={"load_in_4bit": True}), "by bitsandbytes", QUANTISED[1]),
    "a file of AutoGPTQ": (with_files(quantize_config__json="{}"), "`quantize_config.json`", QUANTISED[1]),
    **{
        f"tensor {suffix}": (with_tensor(f"model.layers.0.self_attn.q_proj.{suffix}"), suffix, QUANTISED[1])
        for suffix in (
            *("weight.absmax", "weight.quant_state.bitsandbytes__nf4", "SCB", "qweight", "qzeros", "g_idx", "scales"),
            *("weight_scale", "weight_scale_inv", "weight_packed", "input_scale"),
        )
    },
    "Meta's own quantised": (
        lambda folder: _edited(write_meta(folder, CONFIG, WEIGHTS) / "params.json", quantization_args={"x": 1}),
        *QUANTISED,
    ),
    "LoRA folder": (
        only("adapter_config.json", "adapter_model.safetensors", config=False),
        *ADAPTER,
    ),
    "LoRA tensors": (with_tensor("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"), *ADAPTER),
    "LoRA in GGUF": (a_gguf("llama", general__type="adapter", adapter__type="lora"), *ADAPTER),
    "pickles": (only("pytorch_model-00001-of-00002.bin", "training_args.bin"), *PICKLE),
    "a pickle": (the_file("pytorch_model.bin"), *PICKLE),
    "an old pickle": (the_file("model.pt"), *PICKLE),
    "shards of nobody": (only("consolidated.00.pth", config=False), *PICKLE),
    "ONNX": (only("model.onnx"), "ONNX", "safetensors"),
    "ONNX below": (only("onnx/model.onnx"), "ONNX", "safetensors"),
    "an ONNX file": (the_file("model.onnx"), "ONNX", "safetensors"),
    "git-lfs weights": (with_pointer("model.safetensors"), "git-lfs pointer", "git lfs pull"),
    "git-lfs config": (with_pointer("config.json"), "git-lfs pointer", "git lfs pull"),
    "git-lfs Meta": (with_pointer("consolidated.00.pth", write_meta), "git-lfs pointer", "git lfs pull"),
    "git-lfs GGUF": (the_file("model.gguf", POINTER), "git-lfs pointer", "git lfs pull"),
    "git-lfs GGUF in a folder": (only("model.gguf", content=POINTER), "git-lfs pointer", "git lfs pull"),
    "empty weights": (with_files(model__safetensors=""), "is empty", "download it again"),
    "an empty GGUF": (the_file("model.gguf", ""), "is empty", "download it again"),
    "a truncated GGUF": (the_file("model.gguf", "GGUF\x03"), "ends inside its version", "download"),
    "several GGUF": (only("a-Q4.gguf", "b-Q8.gguf"), "2 GGUF files", "`a-Q4.gguf`, `b-Q8.gguf`"),
    "split GGUF": (only("a-00001-of-00002.gguf", "a-00002-of-00002.gguf"), "one of 2 parts", "llama-gguf-split"),
    "a part": (a_gguf("llama", split__count=3), "one of 3 parts", "llama-gguf-split"),
    "mmproj": (a_gguf("clip"), "mmproj", "model itself"),
    "importances": (a_gguf("llama", general__type="imatrix"), "not a model", "safetensors"),
    "embedding GGUF": (a_gguf("nomic-bert"), "`nomic-bert`", "sentence-transformers"),
    "an embedding model": (
        lambda folder: write_embedder(_made(folder)),
        "architecture `bert`",
        "`inline::sentence-transformers`",
    ),
}


def _edited(path: Path, **facts: Any) -> Path:
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    return path.parent


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def assert_told(failed: pytest.ExceptionInfo[CheckpointInvalid], words: str, remedy: str, folder: Path) -> None:
    message, hint = failed.value.message, failed.value.hint or ""
    assert words in message and str(folder) in message and "\n" not in message, message
    assert remedy in hint, hint


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_checkpoint_of_ours_says_what_it_is_and_what_to_take(tmp_path: Path, kind: str) -> None:
    make, words, remedy = KINDS[kind]
    path = make(tmp_path / "model")
    with pytest.raises(CheckpointInvalid) as failed:
        list(open_checkpoint(path).weights())
    assert_told(failed, words, remedy, tmp_path)


@pytest.mark.parametrize("kind", ["a part", "mmproj", "LoRA in GGUF", "embedding GGUF", "git-lfs GGUF"])
def test_whoever_comes_first_for_a_gguf_file_says_the_same(tmp_path: Path, kind: str) -> None:
    make, words, remedy = KINDS[kind]
    path = make(tmp_path / "model")
    with pytest.raises(CheckpointInvalid) as failed:
        load_tokenizer(path)
    assert_told(failed, words, remedy, tmp_path)


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer.model"])
def test_a_tokenizer_that_git_left_behind_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text(POINTER)
    with pytest.raises(CheckpointInvalid, match="git-lfs pointer"):
        load_tokenizer(tmp_path)


def test_what_lies_beside_a_model_does_not_hide_it(tmp_path: Path) -> None:
    """One model and its vision part; a GGUF file beside the config of its folder; an adapter beside whole weights."""
    file = write_gguf(tmp_path / "model.gguf", CONFIG, WEIGHTS)
    shutil.copy(file, tmp_path / "mmproj-model.gguf")
    assert open_checkpoint(tmp_path).path == file
    hugging_face(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").unlink()
    shutil.copy(file, tmp_path / "other")
    assert open_checkpoint(tmp_path / "other").path == tmp_path / "other" / "model.gguf"
    folder = with_files(adapter_config__json="{}", pytorch_model__bin="x")(tmp_path / "third")
    assert open_checkpoint(folder).path == folder
    meta = write_meta(tmp_path / "meta", CONFIG, WEIGHTS)
    assert open_checkpoint(meta / "consolidated.00.pth").path == meta


def embedder(folder: Path) -> Path:
    return write_embedder(_made(folder))


def embedder_only(*names: str, content: str = "x") -> Damage:
    return only(*names, content=content, of=embedder)


@pytest.mark.parametrize(
    ("make", "words", "remedy"),
    [
        (hugging_face, "a model that writes text", "`inline::meta-reference`"),
        (embedder_only("pytorch_model.bin"), *PICKLE),
        (embedder_only("onnx/model.onnx"), "ONNX", "safetensors"),
        (embedder_only("model.safetensors", content=POINTER), "git-lfs pointer", "git lfs pull"),
        (embedder_only("model.safetensors", content=""), "is empty", "download it again"),
        (embedder_only(), "model.safetensors` is missing", "download the whole"),
        (lambda folder: embedder_only()(folder) / "config.json", "is a file", "sentence-transformers folder"),
        (
            lambda folder: _edited(
                write_embedder(_made(folder)) / "config.json", quantization_config={"quant_method": "gptq"}
            ),
            "quantised by gptq",
            "unquantised",
        ),
    ],
    ids=["text model", "pickle", "onnx", "pointer", "empty", "missing", "a file", "quantised"],
)
def test_what_is_no_embedding_model_of_ours_says_what_it_is_and_what_to_take(
    tmp_path: Path, make: Damage, words: str, remedy: str
) -> None:
    path = make(tmp_path / "model")
    with pytest.raises(CheckpointInvalid) as failed:
        load_encoder(path, "cpu")
    assert_told(failed, words, remedy, tmp_path)
