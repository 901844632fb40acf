"""Every way through a step gives the logits of the slow reference: whole, chunked, token by token, mixed, after
aborts.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from runtime.engine.checkpoints.model_config import ModelConfig, RopeScaling
from runtime.engine.running.torch_runner import TorchRunner
from runtime.engine.sampling.sampled import Sampled
from runtime.engine.scheduling.scheduler import Chunk
from tests.support.tiny_llama import (
    LLAMA3,
    forward,
    load_runner,
    new_sequence,
    random_weights,
    relative_error,
    slow_logits,
    tiny_config,
    write_hugging_face,
)

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelConfig, Weights, Path]:
    config = tiny_config()
    weights = random_weights(config)
    return config, weights, write_hugging_face(tmp_path_factory.mktemp("tiny"), config, weights)


@pytest.fixture
def runner(model: tuple[ModelConfig, Weights, Path]) -> TorchRunner:
    return load_runner(model[2])


def tokens_of(seed: int, count: int) -> list[int]:
    return torch.randint(3, 128, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"is_tied": True},
        {"kv_heads": 4},
        {"kv_heads": 1, "head_dim": 32},
        {"rope_theta": 500000.0},
        {"rope_scaling": LLAMA3},
        {"rope_scaling": RopeScaling(kind="linear", factor=2.0)},
        {"norm_eps": 0.1},
    ],
    ids=str,
)
def test_whole_prompt_equals_the_slow_reference(tmp_path: Path, changes: dict[str, object]) -> None:
    config = tiny_config(**changes)
    weights = random_weights(config, seed=3)
    tokens = tokens_of(1, 40)
    runner = load_runner(write_hugging_face(tmp_path, config, weights))
    sequence = new_sequence(1, tokens, list(range(1, 20)))
    ours = forward(runner, [[(sequence, len(tokens))]])[1]
    theirs = slow_logits(config, weights, tokens)
    assert relative_error(ours, theirs) < 1e-5
    assert (ours - theirs).abs().max() < 2e-4


@pytest.mark.parametrize("cuts", [[29], [7, 22], [1] * 29, [4, 4, 4, 4, 13], [28, 1], [1, 28]], ids=str)
@pytest.mark.parametrize("pages", [list(range(1, 9)), [9, 3, 5, 12, 1, 30, 2, 7]], ids=["run", "scattered"])
def test_chunks_on_any_pages_equal_the_whole_prompt(
    model: tuple[ModelConfig, Weights, Path], runner: TorchRunner, cuts: list[int], pages: list[int]
) -> None:
    config, weights, _ = model
    tokens = tokens_of(2, 29)
    sequence = new_sequence(1, tokens, pages)
    ours = forward(runner, [[(sequence, count)] for count in cuts])[1]
    assert relative_error(ours, slow_logits(config, weights, tokens)) < 1e-5


def test_mixed_steps_of_many_sequences_equal_each_alone(
    model: tuple[ModelConfig, Weights, Path], runner: TorchRunner
) -> None:
    """Decode rows of very different lengths beside chunks at the start, in the middle and at the end of prompts."""
    config, weights, _ = model
    lengths = [5, 6, 9, 60, 61, 17, 1, 33]
    free = iter(torch.randperm(64, generator=torch.Generator().manual_seed(0)).add(1).tolist())
    sequences = [
        new_sequence(number, tokens_of(number, length), [next(free) for _ in range(-(-length // 4))])
        for number, length in enumerate(lengths)
    ]
    decoding, prefilling = sequences[:5], sequences[5:]
    steps = [
        [(sequence, sequence.pending - 3) for sequence in decoding],
        [(sequence, 1) for sequence in decoding[:2]] + [(prefilling[0], 6)],
        [(sequence, 1) for sequence in decoding] + [(prefilling[0], 11), (prefilling[1], 1), (prefilling[2], 30)],
        [(sequence, 1) for sequence in [*decoding, prefilling[2]]],
        [(sequence, 1) for sequence in [*decoding[2:], prefilling[2]]],
        [(prefilling[2], 1)],
    ]
    ours = forward(runner, steps)
    for sequence in sequences:
        assert sequence.pending == 0
        assert relative_error(ours[sequence.id], slow_logits(config, weights, sequence.tokens)) < 1e-5


def test_pages_of_an_aborted_neighbour_do_not_show_through(
    model: tuple[ModelConfig, Weights, Path], runner: TorchRunner
) -> None:
    config, weights, _ = model
    gone = new_sequence(1, tokens_of(4, 30), list(range(1, 9)))
    kept = new_sequence(2, tokens_of(5, 11), [20, 21, 22])
    forward(runner, [[(gone, 30), (kept, 8)]])
    heir = new_sequence(3, tokens_of(6, 10), [8, 3, 1])
    ours = forward(runner, [[(kept, 1), (heir, 7)], [(kept, 1), (heir, 1)], [(kept, 1), (heir, 1)], [(heir, 1)]])
    assert relative_error(ours[3], slow_logits(config, weights, heir.tokens)) < 1e-5
    assert relative_error(ours[2], slow_logits(config, weights, kept.tokens)[8:]) < 1e-5


def test_bfloat16_stays_near_the_reference(model: tuple[ModelConfig, Weights, Path]) -> None:
    config, weights, path = model
    rounded = {name: tensor.bfloat16().float() for name, tensor in weights.items()}
    tokens = tokens_of(7, 20)
    runner = load_runner(path, dtype="bfloat16")
    first, second = new_sequence(1, tokens, list(range(1, 6))), new_sequence(2, tokens, list(range(6, 11)))
    ours = forward(runner, [[(first, 12), (second, 19)], [(first, 7), (second, 1)], [(first, 1)]])
    theirs = slow_logits(config, rounded, tokens)
    # Weights drawn this wide amplify rounding; the point is that no step of the way is wrong, and both ways agree.
    assert relative_error(ours[1], theirs) < 3e-2
    assert relative_error(ours[2], theirs) < 3e-2


def run_step(runner: TorchRunner, chunks: list[Chunk]) -> list[Sampled | None]:
    with torch.inference_mode():
        return runner.run(chunks)


def test_samples_only_where_a_chunk_reaches_the_end(
    model: tuple[ModelConfig, Weights, Path], runner: TorchRunner
) -> None:
    config, weights, _ = model
    first = new_sequence(1, tokens_of(8, 9), [1, 2, 3], temperature=0)
    second = new_sequence(2, tokens_of(9, 9), [4, 5, 6], temperature=0)
    results = run_step(runner, [Chunk(first, 5, samples=False), Chunk(second, 9, samples=True)])
    assert results[0] is None
    assert results[1] is not None
    assert results[1].token_id == slow_logits(config, weights, second.tokens)[-1].argmax()


@pytest.mark.parametrize("cuts", [[9], [4, 5], [1, 1, 7]], ids=str)
def test_prompt_logprobs_are_those_of_each_next_token(
    model: tuple[ModelConfig, Weights, Path], runner: TorchRunner, cuts: list[int]
) -> None:
    config, weights, _ = model
    tokens = tokens_of(10, 9)
    sequence = new_sequence(1, tokens, [1, 2, 3], logprobs=2, prompt_logprobs=True)
    for count in cuts:
        run_step(runner, [Chunk(sequence, count, samples=count == sequence.pending)])
        sequence.computed += count
    reference = slow_logits(config, weights, tokens).log_softmax(-1)
    assert len(sequence.prompt_logprobs) == 8
    for place, found in enumerate(sequence.prompt_logprobs, 1):
        assert found.token_id == tokens[place]
        assert found.logprob == pytest.approx(float(reference[place - 1, tokens[place]]), abs=1e-4)
        assert [id for id, _ in found.top_logprobs] == reference[place - 1].topk(2).indices.tolist()


def test_prompt_logprobs_are_not_repeated_after_a_preemption(
    model: tuple[ModelConfig, Weights, Path], runner: TorchRunner
) -> None:
    sequence = new_sequence(1, tokens_of(11, 9), [1, 2, 3], prompt_logprobs=True)
    run_step(runner, [Chunk(sequence, 5, samples=False)])
    known = list(sequence.prompt_logprobs)
    assert len(known) == 5
    sequence.pages = [7, 8, 9]
    run_step(runner, [Chunk(sequence, 9, samples=True)])
    assert sequence.prompt_logprobs[:5] == known
    assert len(sequence.prompt_logprobs) == 8
