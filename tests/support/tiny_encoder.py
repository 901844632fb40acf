"""A BERT-style sentence encoder of random weights, as a whole sentence-transformers folder.

For tests that need a real encoder and no real meaning.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 24,
    "intermediate_size": 40,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 32,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 60,
}


def write_encoder(folder: Path, *, pooling: str = "mean_tokens", normalises: bool = True, **changes: Any) -> Path:
    """A sentence-transformers folder with random weights (standard deviation 0.5, so that every part matters)."""
    config = CONFIG | changes
    width, inner = config["hidden_size"], config["intermediate_size"]
    torch.manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape) * 0.5

    weights = {
        "embeddings.word_embeddings.weight": random(config["vocab_size"], width),
        "embeddings.position_embeddings.weight": random(config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": random(2, width),
        "embeddings.LayerNorm.weight": random(width),
        "embeddings.LayerNorm.bias": random(width),
    }
    shapes = {f"attention.self.{part}": (width, width) for part in ("query", "key", "value")}
    shapes |= {"attention.output.dense": (width, width), "intermediate.dense": (inner, width)}
    shapes |= {"output.dense": (width, inner)}
    for layer in range(config["num_hidden_layers"]):
        for name, (rows, columns) in shapes.items():
            weights[f"encoder.layer.{layer}.{name}.weight"] = random(rows, columns)
            weights[f"encoder.layer.{layer}.{name}.bias"] = random(rows)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"encoder.layer.{layer}.{name}.weight"] = random(width)
            weights[f"encoder.layer.{layer}.{name}.bias"] = random(width)
    save_file(weights, folder / "model.safetensors")
    modes = {f"pooling_mode_{mode}": mode == pooling for mode in ("mean_tokens", "cls_token", "max_tokens")}
    (folder / "1_Pooling").mkdir()
    kinds = {"": "Transformer", "1_Pooling": "Pooling"} | ({"2_Normalize": "Normalize"} if normalises else {})
    files = {
        "config.json": config,
        "sentence_bert_config.json": {"max_seq_length": 16},
        "1_Pooling/config.json": {"word_embedding_dimension": width, **modes},
        "modules.json": [
            {"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds.items()
        ],
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*SPECIAL, "red", "green", "blue", "one", "two", "three", "cat", "dog", "house", "tree", *"abcdefghijklmn"]


def write_embedder(folder: Path) -> Path:
    """A random encoder for 16 tokens, with a WordPiece tokenizer that pads and truncates as published ones do."""
    write_encoder(folder)
    tokenizer = Tokenizer(models.WordPiece({word: id for id, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", WORDS.index("[CLS]")), ("[SEP]", WORDS.index("[SEP]"))],
    )
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_cross_encoder(folder: Path, **changes: Any) -> Path:
    """A random cross-encoder for 16 tokens, with the files that one has on the hub. changes: to its `config.json`."""
    write_embedder(folder)
    torch.manual_seed(1)
    weights = {f"bert.{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    width = CONFIG["hidden_size"]
    for name, rows in (("bert.pooler.dense", width), ("classifier", 1)):
        weights |= {f"{name}.weight": torch.randn(rows, width) * 0.5, f"{name}.bias": torch.randn(rows) * 0.5}
    save_file(weights, folder / "model.safetensors")
    head = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    (folder / "config.json").write_text(json.dumps(CONFIG | head | changes))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 16}))
    for name in ("modules.json", "sentence_bert_config.json"):
        (folder / name).unlink()
    shutil.rmtree(folder / "1_Pooling")
    return folder
