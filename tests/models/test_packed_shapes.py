"""Packed weights of any shape: near the slow reference, however rows are cut into steps and shared among threads; and
what kernels are not made for is computed by torch.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.kernels import compiled
from runtime.engine.kernels.dot import Dot
from runtime.engine.running import packed_model
from runtime.engine.running.loading import loaded_runner
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.packed_runner import PackedRunner
from runtime.engine.running.runner import Runner
from runtime.engine.scheduling.scheduler import Chunk
from tests.support.compiled_kernels import HERE, features_for, flags_of
from tests.support.tiny_llama import new_sequence, relative_error, slow_logits, tiny_config
from tests.support.tiny_packed import PACKED, write_quantised


def any_config(dice: random.Random) -> ModelConfig:
    head_dim = dice.choice((16, 32, 48, 64, 80, 96, 128))
    kv_heads, group = dice.choice((1, 2, 3)), dice.choice((1, 2, 3, 4, 7, 9))
    if kv_heads * group * head_dim % 32:
        group *= 2
    return tiny_config(
        layers=dice.choice((1, 2, 3)),
        hidden_size=32 * dice.randint(1, 8),
        heads=kv_heads * group,
        kv_heads=kv_heads,
        head_dim=head_dim,
        ffn_size=32 * dice.randint(1, 8),
        vocab_size=dice.randint(33, 200),
        is_tied=dice.random() < 0.5,
    )


def forward(runner: Runner, tokens: list[int], counts: list[int]) -> torch.Tensor:
    """The logits of every token, computed by so many at a time: [tokens, vocab]."""
    sequence, found = new_sequence(1, tokens, [3, 1]), []
    for count in counts:
        runner.compute([Chunk(sequence, count, samples=False)])
        found.append(np.asarray(runner.logits(range(count))))
        sequence.computed += count
    return torch.from_numpy(np.concatenate(found))


@pytest.mark.parametrize("seed", range(6))
def test_any_shape_is_near_the_slow_reference(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    config = any_config(dice)
    path = write_quantised(tmp_path, config, dice.choice(("Q8_0", "Q4_0", "Q4_1")))
    tokens = dice.choices(range(config.vocab_size), k=dice.randint(1, 40))
    counts: list[int] = []
    while left := len(tokens) - sum(counts):
        counts.append(dice.randint(1, left))
    options = EngineOptions(model=path, device="cpu", threads=dice.randint(1, 3), max_step_tokens=40)
    with loaded_runner(options, lambda: None) as runner:
        assert isinstance(runner, PackedRunner)
        ours = forward(runner, tokens, counts)
    theirs = slow_logits(config, dict(open_checkpoint(path).weights()), tokens)
    assert relative_error(ours, theirs) <= 0.05


@pytest.mark.parametrize("dot", HERE[-2:], ids=lambda dot: dot.name)
def test_what_a_lesser_cpu_has_gives_nearly_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dot: Dot) -> None:
    path, tokens = write_quantised(tmp_path, kind="Q4_1"), random.Random(1).choices(range(PACKED.vocab_size), k=40)
    options = EngineOptions(model=path, device="cpu", threads=2, max_step_tokens=40)
    with loaded_runner(options, lambda: None) as runner:
        best = forward(runner, tokens, [40])
    flags = flags_of(features_for(dot))
    monkeypatch.setattr(packed_model, "best_dot", lambda _: dot)
    monkeypatch.setattr(compiled, "_flags", lambda: flags)
    with loaded_runner(options, lambda: None) as runner:
        assert isinstance(runner, PackedRunner)
        ours = forward(runner, tokens, [33, 7])
    # A sum that is rounded in another order may quantise one number in a thousand to its neighbour.
    assert relative_error(ours, best) <= 0.01
    assert relative_error(ours, slow(path, tokens)) <= 0.05


@pytest.mark.parametrize(
    "changes",
    [
        {"head_dim": 24, "heads": 4},
        {"head_dim": 8, "heads": 4},
        {"heads": 3, "kv_heads": 1},
        {"hidden_size": 80},
        {"ffn_size": 112},
    ],
    ids=str,
)
def test_shapes_that_kernels_are_not_made_for_are_computed_by_torch(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = tiny_config(**{"hidden_size": 96, "head_dim": 16, "heads": 6, "ffn_size": 160, **changes})
    path = write_quantised(tmp_path, config)
    tokens = random.Random(0).choices(range(config.vocab_size), k=40)
    assert relative_error(by_torch(path, tokens), slow(path, tokens)) <= 0.02


def test_a_cpu_that_kernels_are_not_made_for_computes_by_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "host_features", lambda: frozenset({"sse2"}))
    monkeypatch.setattr(compiled.llvm, "get_default_triple", lambda: "x86_64-unknown-linux-gnu")
    path, tokens = write_quantised(tmp_path, PACKED), [5, 6, 7]
    assert relative_error(by_torch(path, tokens), slow(path, tokens)) <= 0.02


def by_torch(path: Path, tokens: list[int]) -> torch.Tensor:
    with loaded_runner(EngineOptions(model=path, device="cpu", threads=1), lambda: None) as runner:
        assert not isinstance(runner, PackedRunner)
        return forward(runner, tokens, [len(tokens)])


def slow(path: Path, tokens: list[int]) -> torch.Tensor:
    checkpoint = open_checkpoint(path)
    return slow_logits(checkpoint.config, dict(checkpoint.weights()), tokens)
