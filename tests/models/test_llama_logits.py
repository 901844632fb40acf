"""Logits against transformers: random tiny models of every Llama generation, through every checkpoint format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from runtime.engine.checkpoints.opening import open_checkpoint
from tests.support.tiny_llama import forward, load_runner, new_sequence, relative_error, write_meta

pytestmark = pytest.mark.oracle
transformers = pytest.importorskip("transformers", reason="transformers, the oracle, is not installed")

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
MODELS: dict[str, dict[str, Any]] = {
    "Llama 2": {"num_key_value_heads": 4, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
    "Llama 2, grouped": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
    "Llama 3": {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    "Llama 3.1": {"rope_parameters": LLAMA3_ROPE},
    "Llama 3.2": {"rope_parameters": {**LLAMA3_ROPE, "factor": 32.0}, "tie_word_embeddings": True},
    "linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
    "wide heads": {"head_dim": 48, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
}


def make(folder: Path, **changes: Any) -> Any:
    """A transformers model with weights of standard deviation 0.5, saved to the folder."""
    torch.manual_seed(7)
    config = transformers.LlamaConfig(
        **{
            "vocab_size": 512,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.5,
            "attn_implementation": "eager",
            **changes,
        }
    )
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("norm.weight"):
                weight.copy_(1 + 0.5 * torch.randn_like(weight))
    model.save_pretrained(folder)
    return model


def compare(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert (ours - theirs).abs().max() <= 2e-4
    assert relative_error(ours, theirs) <= 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_logits_equal_transformers(tmp_path: Path, name: str) -> None:
    model = make(tmp_path, **MODELS[name])
    tokens = torch.randint(0, 512, (150,), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = model(tokens[None]).logits[0]
    runner = load_runner(tmp_path)
    # Causal, so that a longer prompt's first rows are a shorter one's.
    whole = new_sequence(1, tokens[:40].tolist(), list(range(1, 11)))
    compare(forward(runner, [[(whole, 40)]])[1], theirs[:40])
    # Further out, transformers' float32 angles are themselves 1.4e-5 from exact arithmetic (ours are float64).
    far = new_sequence(2, tokens.tolist(), list(range(60, 22, -1)))
    assert relative_error(forward(runner, [[(far, count)] for count in (100, 1, 1, 40, 8)])[2], theirs) <= 2e-5


@pytest.mark.parametrize("shards", [1, 2])
def test_meta_checkpoints_equal_transformers(tmp_path: Path, shards: int) -> None:
    model = make(tmp_path / "hf", **MODELS["Llama 3"])
    source = open_checkpoint(tmp_path / "hf")
    folder = write_meta(tmp_path / "meta", source.config, dict(source.weights()), shards=shards)
    tokens = torch.randint(0, 512, (40,), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        theirs = model(tokens[None]).logits[0]
    # Meta's files say 1e-5 where this configuration says 1e-6.
    facts = json.loads((folder / "params.json").read_text())
    assert facts["norm_eps"] == source.config.norm_eps
    sequence = new_sequence(1, tokens.tolist(), list(range(1, 11)))
    compare(forward(load_runner(folder), [[(sequence, 40)]])[1], theirs)


def test_bfloat16_agrees_where_transformers_is_sure(tmp_path: Path) -> None:
    model = make(tmp_path, **MODELS["Llama 3.1"], initializer_range=0.1).to(torch.bfloat16)
    tokens = torch.randint(0, 512, (100,), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        theirs = model(tokens[None]).logits[0].float()
    sequence = new_sequence(1, tokens.tolist(), list(range(1, 26)))
    ours = forward(load_runner(tmp_path, dtype="bfloat16"), [[(sequence, 100)]])[1]
    assert relative_error(ours, theirs) <= 2e-2
    best = theirs.topk(2).values
    sure = best[:, 0] - best[:, 1] > 0.1
    assert sure.sum() > 50
    assert torch.equal(ours.argmax(-1)[sure], theirs.argmax(-1)[sure])
