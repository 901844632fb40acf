"""What comes between the weights and the first request on a GPU, with memory that is only counted.

There is no GPU here: torch's counters and CUDA's capture were not run.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.layers.varlen import VarlenKernel
from runtime.engine.memory.needs import DoesNotFit
from runtime.engine.memory.plan import Gpu, Hardware, MemoryPlan, fit_pool, plan_memory
from runtime.engine.running.gpu_start import start, trial_plan
from runtime.engine.running.torch_runner import TorchRunner
from runtime.engine.scheduling.scheduler import Chunk
from tests.support.fake_gpu import FakeMemory, record_like_cuda
from tests.support.paged_attention import recordable_varlen_attn
from tests.support.tiny_llama import new_sequence, random_weights, tiny_config, write_hugging_face

CONFIG = tiny_config()
FREE = 2**20
PAGE_BYTES = 16 * CONFIG.kv_elements_per_token * 4
BATCH, STEP_TOKENS = 3, 40


def gpu_plan(**options: object) -> MemoryPlan:
    gpu = Gpu(name="made up", total_bytes=2 * FREE, free_bytes=FREE)
    sizes = {"max_batch_size": BATCH, "max_step_tokens": STEP_TOKENS, "dtype": "float32", **options}
    return plan_memory(CONFIG, Hardware(available_bytes=FREE, gpus=(gpu,)), device="cuda", **sizes)  # type: ignore[arg-type]  # as the cases say


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hugging_face(tmp_path_factory.mktemp("tiny"), CONFIG, random_weights(CONFIG, seed=6))


def loaded(model: Path, plan: MemoryPlan) -> TorchRunner:
    """On the CPU, with the pool for the steps that are measured."""
    with torch.inference_mode():
        runner = TorchRunner(CONFIG, trial_plan(plan, max_step_tokens=STEP_TOKENS))
        runner.model.load(open_checkpoint(model).weights(), model)
    return runner


def started(runner: TorchRunner, plan: MemoryPlan, memory: FakeMemory, kernel: VarlenKernel | None) -> TorchRunner:
    with torch.inference_mode():
        start(
            runner,
            plan,
            kernel,
            max_batch_size=BATCH,
            max_step_tokens=STEP_TOKENS,
            memory=memory,
            record=record_like_cuda,
        )
    return runner


def test_the_pool_gets_what_measured_steps_leave_of_the_share() -> None:
    plan = gpu_plan()
    assert plan.page_size == 16 and plan.most_pages == BATCH * 256 // 16 + 1
    left = int(0.9 * FREE) - 300_000
    fitted = fit_pool(plan, taken_bytes=300_000, step_bytes=left - 20 * PAGE_BYTES - 1)
    assert (fitted.pages, fitted.kv_bytes, fitted.context_tokens) == (20, 20 * PAGE_BYTES, 256)
    short = fit_pool(plan, taken_bytes=300_000, step_bytes=left - 5 * PAGE_BYTES)
    assert (short.pages, short.context_tokens) == (5, 64)


def test_the_pool_gets_no_more_than_is_of_use_or_asked_for() -> None:
    assert fit_pool(gpu_plan(), taken_bytes=0, step_bytes=0).pages == BATCH * 256 // 16 + 1
    asked = gpu_plan(kv_cache_bytes=10 * PAGE_BYTES)
    assert fit_pool(asked, taken_bytes=0, step_bytes=0).pages == asked.pages == 11


def test_a_step_that_leaves_no_page_is_refused_with_what_to_set() -> None:
    room = int(0.9 * FREE)
    with pytest.raises(DoesNotFit, match=r"takes 0\.1 MiB of it and a step .* no room for 16 tokens") as refused:
        fit_pool(gpu_plan(), taken_bytes=100_000, step_bytes=room - 100_000 - PAGE_BYTES)
    assert "max_step_tokens" in str(refused.value.hint)
    assert refused.value.missing_bytes == PAGE_BYTES


@pytest.mark.parametrize("has_kernel", [True, False])
def test_a_started_runner_has_its_pool_and_computes(model: Path, has_kernel: bool) -> None:
    plan = replace(gpu_plan(), device="cpu")
    runner = loaded(model, plan)
    assert runner.plan.pages == 1 + 3  # of 40 tokens
    taken = 300_000
    room = int(0.9 * FREE) - taken
    kernel = VarlenKernel(recordable_varlen_attn) if has_kernel else None
    peaks = [room - 40 * PAGE_BYTES, 10 * PAGE_BYTES] if has_kernel else [room - 40 * PAGE_BYTES]
    memory = FakeMemory(peaks, free=FREE - taken)
    started(runner, plan, memory, kernel)
    # Graphs keep what a decode step takes, and their results.
    results = BATCH * 4 * (CONFIG.vocab_size + CONFIG.hidden_size)
    assert runner.plan.pages == ((30 * PAGE_BYTES - results) // PAGE_BYTES if has_kernel else 40)
    assert memory.peaks == []
    assert runner.cache.keys[0].shape[:2] == (runner.plan.pages, 16)
    assert runner.launches().graph_captures == (3 if has_kernel else 0)
    sequence = new_sequence(1, [5], [runner.plan.pages - 1], temperature=0)
    with torch.inference_mode():
        [sampled] = runner.run([Chunk(sequence, 1, samples=True)])
    assert sampled is not None and 0 <= sampled.token_id < CONFIG.vocab_size
    assert runner.launches().graph_replays == (1 if has_kernel else 0)


def test_steps_as_large_as_can_come_are_measured(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[list[int]] = []
    forward = TorchRunner.forward

    def counted(self: TorchRunner, chunks: list[Chunk]) -> torch.Tensor:
        steps.append([chunk.count for chunk in chunks])
        return forward(self, chunks)

    monkeypatch.setattr(TorchRunner, "forward", counted)
    plan = replace(gpu_plan(), device="cpu")
    started(loaded(model, plan), plan, FakeMemory([0, 0], FREE), VarlenKernel(recordable_varlen_attn))
    assert steps == [[38, 1, 1], [1, 1, 1]]
    steps.clear()
    short = replace(plan, context_tokens=15)
    started(loaded(model, short), short, FakeMemory([0, 0], FREE), VarlenKernel(recordable_varlen_attn))
    assert steps == [[15, 15, 10], [1, 1, 1]]


def test_large_pages_are_taken_only_for_models_that_flash_attention_computes() -> None:
    gpu = Gpu(name="H100", total_bytes=2**30, free_bytes=2**30, flash_page_tokens=256)

    def page_size(dtype: str, head_dim: int) -> int:
        plan = plan_memory(
            replace(CONFIG, head_dim=head_dim),
            Hardware(available_bytes=2**30, gpus=(gpu,)),
            dtype=dtype,
            max_batch_size=1,
            max_step_tokens=1,
        )
        assert plan.device == "cuda:0"
        return plan.page_size

    assert page_size("bfloat16", 24) == 256
    assert [page_size("float32", 24), page_size("bfloat16", 20), page_size("bfloat16", 264)] == [16, 16, 16]
