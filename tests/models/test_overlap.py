"""Steps that are launched before the tokens of the last one are known: same tokens, and nothing left behind.

There is no GPU here: graphs are recorded and repeated on the CPU, so that nothing is really computed meanwhile. What is
tested is what is launched, in which order, and what becomes of it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from runtime.engine.layers.varlen import VarlenKernel
from runtime.engine.requests.grammar import Grammars
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running import loading
from runtime.engine.running.decode_graphs import DecodeGraphs
from runtime.engine.running.runner import Pending
from runtime.engine.running.torch_runner import TorchRunner
from runtime.engine.scheduling.block_manager import BlockManager
from runtime.engine.scheduling.overlap import following
from runtime.engine.scheduling.scheduler import IDLE_PRIORITY, Chunk, Scheduler
from runtime.errors import StackError
from tests.support.fake_gpu import record_like_cuda
from tests.support.paged_attention import recordable_varlen_attn
from tests.support.tiny_engine import (
    CONFIG,
    GREEDY,
    WEIGHTS,
    assert_idle,
    ids_of,
    outputs_of,
    prompts,
    running,
)
from tests.support.tiny_llama import new_sequence, write_hugging_face

ROWS = 4
WAYS: list[dict[str, Any]] = [
    {"temperature": 0},
    {"temperature": 1.3, "seed": 5},
    {"temperature": 0.9, "top_p": 0.8, "seed": 6},
    {"temperature": 1.0, "top_k": 20, "min_p": 0.02, "seed": 7},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hugging_face(tmp_path_factory.mktemp("tiny"), CONFIG, WEIGHTS)


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Engines are started as on a GPU; the sequences of each step that was launched ahead."""
    steps: list[list[int]] = []
    load, follow = loading._on_torch, TorchRunner.follow

    def load_as_on_gpu(*args: Any) -> TorchRunner:
        runner = load(*args)
        assert isinstance(runner, TorchRunner)
        runner.kernel = VarlenKernel(recordable_varlen_attn)
        runner.graphs = DecodeGraphs(
            runner.step,
            runner.kernel,
            (torch.empty(ROWS, CONFIG.hidden_size), torch.empty(ROWS, CONFIG.vocab_size)),
            page_size=runner.plan.page_size,
            context_tokens=runner.plan.context_tokens,
            device=runner.device,
        )
        runner.graphs.capture(record_like_cuda)
        return runner

    def counted(self: TorchRunner, chunks: list[Chunk]) -> Pending | None:
        launched = follow(self, chunks)
        if launched is not None:
            steps.append([chunk.sequence.id for chunk in chunks])
        return launched

    monkeypatch.setattr(loading, "_on_torch", load_as_on_gpu)
    monkeypatch.setattr(TorchRunner, "follow", counted)
    return steps


async def all_ids(model: Path, params: list[SamplingParams]) -> list[list[int]]:
    async with running(model, max_batch_size=ROWS, device="cpu") as engine:
        found = await asyncio.gather(
            *[ids_of(engine, prompt, one) for prompt, one in zip(prompts(len(params)), params, strict=True)]
        )
        assert_idle(engine)
        stats = engine.stats()
        assert stats.generated_tokens == sum(map(len, found))
        return found


async def test_tokens_are_those_of_steps_that_wait(
    model: Path, followed: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More requests than rows, of every way of sampling, which end by length and by end tokens."""
    params = [
        SamplingParams(**way, max_tokens=tokens, ignore_eos=tokens % 2 == 0, stop_token_ids=frozenset(range(60, 63)))
        for tokens in (9, 30, 41)
        for way in WAYS
    ]
    overlapped = await all_ids(model, params)
    assert len(followed) > 20
    followed.clear()
    monkeypatch.setattr(TorchRunner, "can_follow", False)
    assert await all_ids(model, params) == overlapped
    assert not followed
    assert any(len(ids) < one.max_tokens for ids, one in zip(overlapped, params, strict=True) if one.max_tokens)


async def test_steps_as_on_a_gpu_give_the_tokens_of_a_cpu(model: Path, request: pytest.FixtureRequest) -> None:
    params = [SamplingParams(**way, max_tokens=25, ignore_eos=True) for way in WAYS]
    expected = await all_ids(model, params)
    request.getfixturevalue("followed")
    assert await all_ids(model, params) == expected


async def test_a_client_that_leaves_ends_its_sequence(model: Path, followed: list[list[int]]) -> None:
    async with running(model, max_batch_size=ROWS, device="cpu") as engine:
        alone = await ids_of(engine, [7, 8], GREEDY)
        leaving = engine.generate([5], SamplingParams(temperature=0, ignore_eos=True))
        for _ in range(3):
            await anext(leaving)
        staying = asyncio.create_task(ids_of(engine, [7, 8], GREEDY))
        await leaving.aclose()
        assert await staying == alone
        assert_idle(engine)
    assert followed


@pytest.mark.parametrize(
    "changes",
    [{"logprobs": 1}, {"frequency_penalty": 0.5}, {"logit_bias": {5: 1.0}}, {"prompt_logprobs": True}],
    ids=str,
)
async def test_what_needs_its_tokens_first_is_not_overlapped(
    model: Path, followed: list[list[int]], changes: dict[str, Any]
) -> None:
    async with running(model, max_batch_size=ROWS, device="cpu") as engine:
        params = SamplingParams(temperature=0, max_tokens=6, ignore_eos=True, **changes)
        assert len(await outputs_of(engine, [5, 6, 7], params)) == 6
        assert not followed
        assert engine.stats().graph_replays == 5


async def test_a_sequence_that_fails_takes_nobody_with_it(
    model: Path, followed: list[list[int]], tmp_path: Path
) -> None:
    """It fails while the next step, which computes what comes after its missing token, is launched."""
    weights = {name: tensor.clone() for name, tensor in WEIGHTS.items()}
    weights["embedding"][9] = math.nan
    damaged = write_hugging_face(tmp_path / "damaged", CONFIG, weights)
    params = SamplingParams(temperature=0, max_tokens=6, ignore_eos=True)
    async with running(damaged, max_batch_size=ROWS, device="cpu") as engine:
        before = await ids_of(engine, [5, 6], params)
        failing, sound = await asyncio.gather(
            ids_of(engine, [5, 9], params), ids_of(engine, [5, 6], params), return_exceptions=True
        )
        assert isinstance(failing, StackError) and failing.code == "model_not_finite"
        assert sound == before
        assert_idle(engine)


async def test_running_out_of_memory_ahead_costs_only_the_overlap(
    model: Path, followed: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(model, max_batch_size=ROWS, device="cpu") as engine:
        expected = await ids_of(engine, [5, 6], GREEDY)

        def full(self: TorchRunner, chunks: list[Chunk]) -> None:
            raise MemoryError

        monkeypatch.setattr(TorchRunner, "follow", full)
        assert await ids_of(engine, [5, 6], GREEDY) == expected
        assert_idle(engine)


def scheduler(*, pages: int = 9, rows: int = 2) -> Scheduler:
    return Scheduler(BlockManager(pages, 4), max_batch_size=rows, max_step_tokens=64)


def started(it: Scheduler, *lengths: int, **params: Any) -> list[Chunk]:
    for number, length in enumerate(lengths):
        it.add(new_sequence(number, [number] * length, [], **params))
    return it.schedule()


def test_the_next_step_gets_its_pages_before_its_tokens() -> None:
    it = scheduler()
    chunks = started(it, 4, 5)
    found = following(it, chunks)
    assert [(chunk.sequence.id, chunk.count, chunk.samples) for chunk in found] == [(0, 1, True), (1, 1, True)]
    assert [len(chunk.sequence.pages) for chunk in found] == [2, 2]


def test_a_sequence_that_has_ended_gets_no_page() -> None:
    it = scheduler()
    chunks = started(it, 4, 4)
    it.remove(0)
    used = it.blocks.used
    [found] = following(it, chunks)
    assert found.sequence.id == 1
    assert it.blocks.used == used + 1


def test_a_sequence_that_its_length_ends_is_left_out() -> None:
    it = scheduler()
    chunks = started(it, 4, 4)
    chunks[0].sequence.max_length = 5
    assert [chunk.sequence.id for chunk in following(it, chunks)] == [1]


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (lambda: scheduler(pages=3), "no page is free"),
        (lambda: scheduler(rows=3), "one waits for a free row"),
        (lambda: scheduler(), "one of an earlier priority waits"),
    ],
    ids=["no page", "a free row", "priority"],
)
def test_where_the_scheduler_would_choose_another_step_there_is_none(
    make: Callable[[], Scheduler], changes: str
) -> None:
    it = make()
    chunks = started(it, 4, 4)
    assert len(chunks) == 2
    if changes != "no page is free":
        late = new_sequence(7, [1] * 3, [])
        late.priority = -1 if "priority" in changes else 0
        it.add(late)
    assert following(it, chunks) == []


def test_a_row_that_nobody_can_take_is_no_reason_to_wait() -> None:
    it = scheduler()
    chunks = started(it, 4, 4)
    it.add(new_sequence(7, [1] * 3, []))
    assert len(following(it, chunks)) == 2
    chunks[0].sequence.max_length = 5  # it gives its row to the one that waits
    assert following(it, chunks) == []


def test_steps_follow_each_other_beside_what_nobody_waits_for() -> None:
    it = scheduler(rows=3)
    for number in (8, 9):
        idle = new_sequence(number, [number] * 3, [])
        idle.priority = IDLE_PRIORITY
        it.add(idle)
        for chunk in it.schedule():
            it.advance(chunk)
    chunks = started(it, 4)
    assert [chunk.sequence.id for chunk in following(it, chunks)] == [chunks[0].sequence.id]


def test_a_prompt_that_is_being_read_is_scheduled() -> None:
    it = Scheduler(BlockManager(9, 4), max_batch_size=2, max_step_tokens=6)
    assert following(it, started(it, 4, 4)) == []


def test_guesses_are_made_from_known_tokens() -> None:
    it = Scheduler(BlockManager(9, 4), max_batch_size=2, max_step_tokens=64, guessed_tokens=4)
    assert following(it, started(it, 4)) == []


def test_a_grammar_is_asked_first() -> None:
    pytest.importorskip("llguidance", reason="llguidance, which compiles grammars, is not installed")
    it = scheduler()
    chunks = started(it, 4)
    grammars = Grammars(tokens=lambda: [b"a", b"b", b"<end>"], special_ids=[2], end_ids=[2])
    chunks[0].sequence.matcher = grammars.compile('start: "a"').matcher()
    assert following(it, chunks) == []
