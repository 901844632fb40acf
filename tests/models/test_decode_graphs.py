"""Decode steps through recorded graphs give what steps give that are launched operator by operator.

There is no GPU here, so CUDA's stream capture was not run, nor torch's attention. Its place takes a recorder that
repeats the same operators on the same tensors: what is tested is which graph is taken, what is put before it, and that
nothing in a step depends on anything else.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from runtime.engine.layers.attention import AttentionPlan
from runtime.engine.layers.fp8 import Product, decoded, scaled
from runtime.engine.layers.varlen import VarlenKernel
from runtime.engine.running.decode_graphs import DecodeGraphs, graph_sizes
from runtime.engine.running.runner import Launches
from runtime.engine.running.torch_runner import TorchRunner
from runtime.engine.scheduling.scheduler import Chunk
from runtime.engine.scheduling.sequence import Sequence
from tests.support.fake_gpu import record_like_cuda
from tests.support.paged_attention import recordable_varlen_attn
from tests.support.tiny_fp8 import fp8_runner
from tests.support.tiny_llama import load_runner, new_sequence, random_weights, tiny_config, write_hugging_face

MOST_ROWS = 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = tiny_config()
    return write_hugging_face(tmp_path_factory.mktemp("tiny"), config, random_weights(config, seed=5))


@pytest.fixture
def eager(model: Path) -> TorchRunner:
    return load_runner(model)


def graphs_of(runner: TorchRunner, most_rows: int) -> DecodeGraphs:
    return DecodeGraphs(
        runner.step,
        VarlenKernel(recordable_varlen_attn),
        (torch.empty(most_rows, runner.config.hidden_size), torch.empty(most_rows, runner.config.vocab_size)),
        page_size=runner.plan.page_size,
        context_tokens=runner.plan.context_tokens,
        device=runner.device,
    )


@pytest.fixture
def graphed(model: Path) -> TorchRunner:
    runner = load_runner(model)
    runner.kernel = VarlenKernel(recordable_varlen_attn)
    runner.graphs = graphs_of(runner, MOST_ROWS)
    with torch.inference_mode():
        runner.graphs.capture(record_like_cuda)
    return runner


def sequences(lengths: list[int]) -> list[Sequence]:
    """Greedy ones with prompts of these lengths, on scattered pages with room for a few tokens more."""
    free = iter(torch.randperm(64, generator=torch.Generator().manual_seed(0)).add(1).tolist())
    dice = torch.Generator().manual_seed(1)
    return [
        new_sequence(
            number,
            torch.randint(3, 128, (length,), generator=dice).tolist(),
            [next(free) for _ in range(-(-(length + 8) // 4))],
            temperature=0,
        )
        for number, length in enumerate(lengths)
    ]


def step(runner: TorchRunner, chunks: list[Chunk]) -> Tensor:
    """One step, as the worker does it. Returns the logits of each chunk's last token, [chunks, vocab_size]."""
    last = [sum(chunk.count for chunk in chunks[: number + 1]) - 1 for number in range(len(chunks))]
    with torch.inference_mode():
        runner.compute(chunks)
        logits = runner.logits(last).clone()
    for chunk, row in zip(chunks, logits, strict=True):
        chunk.sequence.computed += chunk.count
        if chunk.samples:
            chunk.sequence.append(int(row.argmax()))
    return logits


def pending(some: list[Sequence]) -> list[Chunk]:
    return [Chunk(sequence, sequence.pending, samples=True) for sequence in some]


def test_sizes_leave_little_padding() -> None:
    assert graph_sizes(1) == [1]
    assert graph_sizes(5) == [1, 2, 4, 5]
    assert graph_sizes(16) == [1, 2, 4, 8, 16]
    assert graph_sizes(256) == [1, 2, 4, 8, *range(16, 257, 16)]


def test_replayed_steps_equal_eager_ones_at_every_batch_size(eager: TorchRunner, graphed: TorchRunner) -> None:
    """Batches shrink and grow between steps, so that graphs find rows and pages of other batches in their buffers."""
    ours, theirs = sequences([5, 1, 9, 30, 2]), sequences([5, 1, 9, 30, 2])
    torch.testing.assert_close(step(graphed, pending(ours)), step(eager, pending(theirs)), rtol=0, atol=1e-4)
    for batch in ([0, 1, 2, 3, 4], [3], [0, 2, 4], [4, 1], [1, 0, 3, 2]):
        found = step(graphed, pending([ours[number] for number in batch]))
        expected = step(eager, pending([theirs[number] for number in batch]))
        assert float((found - expected).norm() / expected.norm()) < 1e-5
    assert [one.tokens for one in ours] == [one.tokens for one in theirs]
    assert graphed.launches() == Launches(eager_steps=1, graph_replays=5, graph_captures=4)
    assert eager.launches() == Launches(eager_steps=6)


@pytest.mark.parametrize("product", [decoded, scaled])
def test_steps_with_weights_in_float8_are_recorded_too(model: Path, product: Product) -> None:
    """At sizes that graphs have: rounded activations would tell the last digits of another size."""
    graphed, eager = fp8_runner(model, product), fp8_runner(model, product)
    graphed.kernel = eager.kernel = VarlenKernel(recordable_varlen_attn)
    graphed.graphs = graphs_of(graphed, MOST_ROWS)
    with torch.inference_mode():
        graphed.graphs.capture(record_like_cuda)
    ours, theirs = sequences([5, 1, 9, 30, 2]), sequences([5, 1, 9, 30, 2])
    for batch in ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 2, 4, 1], [3], [4, 1], [1, 0, 3, 2]):
        found = step(graphed, pending([ours[number] for number in batch]))
        expected = step(eager, pending([theirs[number] for number in batch]))
        assert float((found - expected).norm() / expected.norm()) < 1e-5
    assert [one.tokens for one in ours] == [one.tokens for one in theirs]
    assert graphed.launches() == Launches(eager_steps=1, graph_replays=5, graph_captures=4)


def test_a_step_that_also_reads_a_prompt_is_eager(eager: TorchRunner, graphed: TorchRunner) -> None:
    ours, theirs = sequences([6, 7]), sequences([6, 7])
    for runner, both in ((graphed, ours), (eager, theirs)):
        step(runner, pending(both[:1]))
    found, expected = (step(graphed, pending(ours)), step(eager, pending(theirs)))
    assert float((found - expected).norm() / expected.norm()) < 1e-5
    assert graphed.launches() == Launches(eager_steps=2, graph_captures=4)


def test_a_batch_beyond_the_largest_graph_is_eager(graphed: TorchRunner) -> None:
    many = sequences([1] * (MOST_ROWS + 1))
    step(graphed, pending(many))
    assert graphed.launches().graph_replays == 0
    step(graphed, pending(many[:MOST_ROWS]))
    assert graphed.launches().graph_replays == 1


def test_padding_writes_to_the_page_of_nobody(graphed: TorchRunner) -> None:
    some = sequences([5, 6, 7])
    step(graphed, pending(some))
    before = [keys.clone() for keys in graphed.cache.keys]
    step(graphed, pending(some))
    page_size = graphed.plan.page_size
    written = {one.pages[(one.computed - 1) // page_size] for one in some}
    for old, new in zip(before, graphed.cache.keys, strict=True):
        assert {int(page) for page in (old != new).flatten(1).any(1).nonzero()} <= written | {0}
        assert new.isfinite().all()


def test_a_step_that_samples_some_of_its_rows_gets_their_logits(eager: TorchRunner, graphed: TorchRunner) -> None:
    """A prompt's chunk may have a single token that is not its last."""
    for runner in (eager, graphed):
        first, second = sequences([6, 7])
        step(runner, [Chunk(first, 6, samples=True), Chunk(second, 5, samples=False)])
        with torch.inference_mode():
            results = runner.run([Chunk(second, 1, samples=False), Chunk(first, 1, samples=True)])
            expected = runner.logits([1]).argmax()
        assert results[0] is None
        assert results[1] is not None and results[1].token_id == expected
    assert graphed.launches().graph_replays == 1


def test_the_largest_graph_is_recorded_first(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = load_runner(model)
    rows: list[int] = []
    step = runner.step

    def counted(tokens: Tensor, positions: Tensor, plan: AttentionPlan) -> tuple[Tensor, Tensor]:
        rows.append(len(tokens))
        return step(tokens, positions, plan)

    monkeypatch.setattr(runner, "step", counted)
    with torch.inference_mode():
        graphs_of(runner, 16).capture(record_like_cuda)
    assert rows == [16, 8, 4, 2, 1]
