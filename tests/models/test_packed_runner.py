"""The runner on packed weights: near the slow reference on the same weights, and the same to the last bit on every way
through a step.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime.engine.checkpoints.model_config import RopeScaling
from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.running.loading import loaded_runner, plan_model
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.packed_runner import PackedRunner
from runtime.engine.scheduling.scheduler import Chunk
from runtime.errors import RequestError
from tests.support.tiny_llama import (
    new_sequence,
    random_weights,
    relative_error,
    slow_logits,
    write_gguf,
    write_hugging_face,
    write_meta,
)
from tests.support.tiny_packed import PACKED, write_quantised

Steps = list[list[tuple[int, int]]]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled kernels are kept: a shape is compiled once."""
    return tmp_path_factory.mktemp("kernels")


@contextmanager
def packed_runner(path: Path, kernels: Path, *, threads: int = 1) -> Iterator[PackedRunner]:
    options = EngineOptions(model=path, device="cpu", threads=threads, max_step_tokens=64, kernels_dir=kernels)
    with loaded_runner(options, lambda: None) as runner:
        assert isinstance(runner, PackedRunner)
        yield runner


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_quantised(tmp_path_factory.mktemp("packed"), PACKED)


@pytest.fixture(scope="module")
def runner(path: Path, kernels: Path) -> Iterator[PackedRunner]:
    with packed_runner(path, kernels) as runner:
        yield runner


def tokens_of(seed: int, count: int) -> list[int]:
    return random.Random(seed).choices(range(3, 200), k=count)


def forward(runner: PackedRunner, prompts: list[list[int]], steps: Steps) -> list[np.ndarray]:
    """Run steps of (prompt, tokens); the logits of every token by prompt: [tokens, vocab]."""
    at = iter(range(1, 1000))
    sequences = [
        new_sequence(number, prompt, [next(at) for _ in range(0, len(prompt), 32)])
        for number, prompt in enumerate(prompts)
    ]
    found: list[list[np.ndarray]] = [[] for _ in prompts]
    for step in steps:
        chunks = [Chunk(sequences[prompt], count, samples=False) for prompt, count in step]
        runner.compute(chunks)
        logits = iter(runner.logits(range(sum(count for _, count in step))))
        for prompt, count in step:
            found[prompt] += [next(logits) for _ in range(count)]
            sequences[prompt].computed += count
    return [np.array(rows) for rows in found]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"is_tied": True},
        {"kv_heads": 6},
        {"kv_heads": 1, "head_dim": 32},
        {"rope_theta": 500000.0},
        {"rope_scaling": RopeScaling(kind="factors", factors=(1, 1, 2, 3, 5, 8, 8, 8))},
        {"norm_eps": 0.1},
        {"vocab_size": 201},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["Q8_0", "Q4_1", "Q4_0", "Q5_1"])
def test_logits_are_near_the_slow_reference(tmp_path: Path, kernels: Path, kind: str, changes: dict[str, Any]) -> None:
    config = replace(PACKED, **changes)
    path, prompt = write_quantised(tmp_path, config, kind), tokens_of(1, 50)
    with packed_runner(path, kernels) as runner:
        ours = torch.from_numpy(forward(runner, [prompt], [[(0, 50)]])[0])
    theirs = slow_logits(config, dict(open_checkpoint(path).weights()), prompt)
    # What kernels do not read is rounded once more.
    assert relative_error(ours, theirs) <= (0.05 if kind == "Q5_1" else 0.03)
    assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() >= 0.9


@pytest.mark.parametrize(
    "steps",
    [
        [[(0, 1)]] * 61,
        [[(0, 32)], [(0, 29)]],
        [[(0, 7)], [(0, 40)], [(0, 1)], [(0, 13)]],
    ],
    ids=["token by token", "pages", "odd chunks"],
)
def test_chunks_equal_the_whole_prompt_to_the_last_bit(runner: PackedRunner, steps: Steps) -> None:
    prompt = tokens_of(2, 61)
    whole = forward(runner, [prompt], [[(0, 61)]])[0]
    assert np.array_equal(forward(runner, [prompt], steps)[0], whole)


def test_a_batch_of_sixteen_equals_each_alone_to_the_last_bit(runner: PackedRunner) -> None:
    prompts = [tokens_of(n, 5 + 4 * (n % 9)) for n in range(16)]
    left = [len(prompt) for prompt in prompts]
    chooses, steps = random.Random(3), Steps()
    while any(left):
        step = []
        for prompt in (prompt for prompt, count in enumerate(left) if count):
            count = min(left[prompt], chooses.choice((1, 1, 2, 4)))
            left[prompt] -= count
            step.append((prompt, count))
        steps.append(step)
    together = forward(runner, prompts, steps)
    for prompt, logits in zip(prompts, together, strict=True):
        assert np.array_equal(logits, forward(runner, [prompt], [[(0, len(prompt))]])[0])


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_any_number_of_threads_gives_the_same_to_the_last_bit(
    path: Path, kernels: Path, runner: PackedRunner, threads: int
) -> None:
    prompts = [tokens_of(7, 45), tokens_of(8, 1), tokens_of(9, 9)]
    steps: Steps = [[(0, 40), (2, 8)], [(0, 5), (1, 1), (2, 1)]]
    alone = forward(runner, prompts, steps)
    with packed_runner(path, kernels, threads=threads) as other:
        for ours, theirs in zip(forward(other, prompts, steps), alone, strict=True):
            assert np.array_equal(ours, theirs)


def test_padded_ids_have_no_logits(tmp_path: Path, kernels: Path) -> None:
    with packed_runner(write_quantised(tmp_path, replace(PACKED, vocab_size=130)), kernels) as runner:
        assert forward(runner, [[1, 2]], [[(0, 2)]])[0].shape == (2, 130)


def test_torch_takes_what_kernels_cannot(tmp_path: Path) -> None:
    odd = write_quantised(tmp_path, replace(PACKED, head_dim=24, heads=4))
    with loaded_runner(EngineOptions(model=odd, device="cpu"), lambda: None) as runner:
        assert not isinstance(runner, PackedRunner)
    plain = write_quantised(tmp_path, PACKED, "F16")
    with loaded_runner(EngineOptions(model=plain, device="cpu"), lambda: None) as runner:
        assert not isinstance(runner, PackedRunner)
    packed = write_quantised(tmp_path, PACKED)
    with loaded_runner(EngineOptions(model=packed, device="cpu", dtype="float32"), lambda: None) as runner:
        assert not isinstance(runner, PackedRunner), "float32 was asked for"


def test_without_the_compiler_torch_computes_and_the_log_names_the_package(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "llvmlite" else find(name))
    with loaded_runner(EngineOptions(model=path, device="cpu"), lambda: None) as runner:
        assert not isinstance(runner, PackedRunner)
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "install `llvmlite`" in warning.getMessage()


async def test_an_engine_on_packed_weights_imports_no_torch(path: Path, kernels: Path) -> None:
    """In a process of its own, since here torch is imported for the reference."""
    code = f"""
import asyncio, sys
from pathlib import Path
from runtime.engine.engine import Engine
from runtime.engine.running.options import EngineOptions
from runtime.engine.requests.sampling_params import SamplingParams

async def main():
    engine = Engine(EngineOptions(model=Path({str(path)!r}), device="cpu", kernels_dir=Path({str(kernels)!r})))
    await engine.start()
    params = SamplingParams(temperature=0.7, top_p=0.9, seed=1, logprobs=2, prompt_logprobs=True, max_tokens=5)
    found = [one.token_id async for one in engine.generate([5, 6, 7], params)]
    await engine.stop()
    print(len(found), [name for name in ("torch", "numba", "safetensors") if name in sys.modules])

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert said.decode() == "5 []\n"


@pytest.mark.parametrize("kind", ["Hugging Face", "Meta", "F16"])
def test_any_checkpoint_is_rounded_to_8_bits_where_that_is_asked_for(tmp_path: Path, kernels: Path, kind: str) -> None:
    config, prompt = PACKED, tokens_of(3, 40)
    weights = {name: weight * (0.4 if weight.dim() == 2 else 1) for name, weight in random_weights(config).items()}
    if kind == "F16":
        path = write_gguf(tmp_path / "tiny.gguf", config, weights, kind="F16")
    else:
        path = (write_hugging_face if kind == "Hugging Face" else write_meta)(tmp_path / "tiny", config, weights)
    options = EngineOptions(model=path, device="cpu", dtype="quantized", threads=1, kernels_dir=kernels)
    planned = plan_model(options)
    with loaded_runner(options, lambda: None) as runner:
        assert isinstance(runner, PackedRunner) and runner.plan == planned.plan
        ours = torch.from_numpy(forward(runner, [prompt], [[(0, 40)]])[0])
    matrices = sum(weight.numel() for weight in weights.values() if weight.dim() == 2)
    assert planned.plan.dtype == "quantized" and planned.plan.weights_bytes < matrices * 1.2
    # Weights are rounded as activations are: both errors together.
    assert relative_error(ours, slow_logits(planned.checkpoint.config, weights, prompt)) <= 0.06


def test_what_cannot_be_quantised_is_refused_with_the_reason(tmp_path: Path) -> None:
    odd = replace(PACKED, head_dim=24, heads=4)
    folder = write_hugging_face(tmp_path, odd, random_weights(odd))
    with pytest.raises(RequestError, match="it has sizes that are not multiples of 32"):
        plan_model(EngineOptions(model=folder, device="cpu", dtype="quantized"))
    with pytest.raises(RequestError, match="`device` is `cuda`"):
        plan_model(EngineOptions(model=folder, device="cuda", dtype="quantized"))


@pytest.mark.parametrize(
    ("tokens", "computed", "said"),
    [([5] * 65, 0, "65 tokens.*room for 64"), ([5] * 300, 256, "position 299.*room for 256"), ([5, 200], 0, "vocab"),
     ([-1], 0, "vocab")],
    ids=["rows", "context", "an id too high", "an id too low"],
)  # fmt: skip
def test_what_would_be_read_or_written_elsewhere_is_refused(
    runner: PackedRunner, tokens: list[int], computed: int, said: str
) -> None:
    sequence = new_sequence(1, tokens, list(range(1, 11)))
    sequence.computed = computed
    with pytest.raises(ValueError, match=said):
        runner.compute([Chunk(sequence, sequence.pending, samples=False)])
