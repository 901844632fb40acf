"""Sampling: the right distribution, the same draw whatever the company, penalties and log-probabilities by hand.

All samplers go through all of it, and agree.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from runtime.engine.requests.grammar import Grammars
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.sampling import numpy_rows as sampler_cpu
from runtime.engine.sampling import torch_rows as sampler
from runtime.engine.sampling.sampled import NO_TOKEN, uniform
from runtime.engine.scheduling.sequence import Sequence
from runtime.engine.scheduling.token_counts import TokenCounts
from tests.support.samplers import SAMPLERS, Sample


@pytest.fixture(params=SAMPLERS)
def sample(request: pytest.FixtureRequest) -> Sample:
    return SAMPLERS[request.param]


def sequence(*, prompt: list[int] | None = None, output: list[int] | None = None, **params: Any) -> Sequence:
    prompt, output = prompt or [0], output or []
    return Sequence(
        id=1,
        tokens=prompt + output,
        prompt_length=len(prompt),
        params=SamplingParams(**params),
        seed=params.get("seed") or 0,
        max_length=10_000,
    )


def random_logits(rows: int, vocab: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed)) * 2


def reference(logits: torch.Tensor, params: SamplingParams) -> np.ndarray:
    """The distribution that parameters ask for, in plain numpy. logits: [vocab]."""
    scaled = logits.double().numpy() / params.temperature
    p = np.exp(scaled - scaled.max())
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    if params.top_k:
        p[order[params.top_k :]] = 0
        p /= p.sum()
    if params.top_p < 1:
        before = 0.0
        for token in order:
            kept = before < params.top_p or token == order[0]
            before += p[token]
            if not kept:
                p[token] = 0
        p /= p.sum()
    if params.min_p:
        p[p < params.min_p * p.max()] = 0
        p /= p.sum()
    return np.asarray(p)


def chi_square_tail(statistic: float, freedom: int) -> float:
    """P(X > statistic) for a chi-square distribution: Wilson and Hilferty's cube-root normal approximation (1931)."""
    z = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return 0.5 * math.erfc(z / math.sqrt(2))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0, "min_p": 0.02},
        {"top_k": 20, "top_p": 0.7, "temperature": 1.5},
        {"top_k": 5},
        {"top_p": 0.8},
        {"top_p": 0.95, "min_p": 0.05, "temperature": 1.3},
    ],
    ids=str,
)
def test_draws_follow_the_distribution(sample: Sample, params: dict[str, Any]) -> None:
    draws, vocab = 20_000, 400
    logits = random_logits(1, vocab)
    rows = [sequence(seed=seed, **params) for seed in range(draws)]
    counted = Counter[int]()
    for start in range(0, draws, 1000):
        counted.update(found.token_id for found in sample(logits.repeat(1000, 1), rows[start : start + 1000]))
    expected = reference(logits[0], SamplingParams(**params)) * draws
    assert set(counted) <= set(np.flatnonzero(expected))
    common = [token for token in range(vocab) if expected[token] >= 5]
    rare_seen = draws - sum(counted[token] for token in common)
    rare_expected = draws - sum(expected[token] for token in common)
    cells = [(counted[token], expected[token]) for token in common]
    if rare_expected >= 5:
        cells.append((rare_seen, rare_expected))
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in cells)
    assert chi_square_tail(statistic, len(cells) - 1) > 0.001


def test_draws_along_one_sequence_follow_the_distribution_too() -> None:
    """Successive counters of one seed must be as good as successive seeds."""
    draws = np.array([uniform(1234, index) for index in range(20_000)])
    cells, _ = np.histogram(draws, bins=100, range=(0, 1))
    assert chi_square_tail(float(((cells - 200) ** 2 / 200).sum()), 99) > 0.001
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.03


@pytest.mark.parametrize("top_p", [0.5, 0.9999, 0.999999])
def test_a_nucleus_larger_than_the_first_look_is_drawn_from_whole(sample: Sample, top_p: float) -> None:
    vocab = 2000
    logits = random_logits(1, vocab, seed=1) * 0.05  # nearly flat: the nucleus is thousands of tokens
    allowed = set(np.flatnonzero(reference(logits[0], SamplingParams(top_p=top_p))))
    seen = {sample(logits.clone(), [sequence(seed=seed, top_p=top_p)])[0].token_id for seed in range(300)}
    assert len(seen) > 200
    assert seen <= allowed


ALL_KINDS: list[dict[str, Any]] = [
    {"temperature": 0},
    {"seed": 1},
    {"seed": 2, "temperature": 0.7},
    {"seed": 3, "top_k": 40},
    {"seed": 4, "top_p": 0.9},
    {"seed": 5, "min_p": 0.02},
    {"seed": 6, "frequency_penalty": 1.0, "presence_penalty": 0.5},
    {"seed": 7, "repetition_penalty": 1.3, "top_p": 0.8},
    {"seed": 8, "logit_bias": {5: 3.0, 6: -100.0}, "logprobs": 3},
    {"seed": 9, "top_k": 400, "logprobs": 5},
    {"temperature": 0, "logprobs": 0},
]


def looked_up(logits: torch.Tensor, found: Sequence) -> tuple[int, bool]:
    """The token of a sequence's draw by plain numpy, and whether the draw is so near to another that rounding decides.

    logits: [vocab]. Truncated distributions are in the order of probability, others in that of the vocabulary.
    """
    p = reference(logits, found.params)
    order = np.argsort(-logits.numpy(), kind="stable") if found.params.is_truncated else np.arange(len(p))
    ends = p[order].cumsum()
    draw = uniform(found.seed, found.output_length)
    place = int(ends.searchsorted(draw, side="right"))
    return int(order[place]), bool(np.abs(ends - draw).min() < 1e-6)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"temperature": 0.3},
        {"temperature": 1.7, "min_p": 0.001},
        {"top_k": 1000},
        {"top_k": 50, "top_p": 0.9},
        {"top_p": 0.6},
        {"top_p": 0.97, "temperature": 1.5},
    ],
    ids=str,
)
def test_a_seed_s_token_is_the_one_at_its_draw_in_the_cumulative_sum(sample: Sample, params: dict[str, Any]) -> None:
    logits = random_logits(1, 5000, seed=6)
    decided = 0
    for seed in range(200):
        row = sequence(seed=seed, output=[1] * (seed % 3), **params)
        token_id, is_near = looked_up(logits[0], row)
        if not is_near:
            decided += 1
            assert sample(logits.clone(), [row])[0].token_id == token_id
    assert decided > 150


@pytest.mark.parametrize("top_p", [0.4995, 0.9])
def test_equally_likely_tokens_are_drawn_in_the_order_of_the_vocabulary(sample: Sample, top_p: float) -> None:
    logits = torch.zeros(1, 1001)
    logits[0, 700:] = 0.5
    for seed in range(50):
        row = sequence(seed=seed, top_p=top_p)
        token_id, is_near = looked_up(logits[0], row)
        assert is_near or sample(logits.clone(), [row])[0].token_id == token_id


def test_top_k_counts_equally_likely_tokens_too(sample: Sample) -> None:
    logits = torch.zeros(1, 300)
    logits[0, 250] = 1.0
    found = {sample(logits.clone(), [sequence(seed=seed, top_k=2, logprobs=2)])[0].token_id for seed in range(50)}
    assert len(found) == 2 and 250 in found


def test_a_row_is_the_same_alone_and_in_any_company(sample: Sample) -> None:
    rows = [sequence(prompt=[1, 2, 3], output=[4, 4, 5], **params) for params in ALL_KINDS]
    logits = random_logits(len(rows), 1000, seed=2)
    together = sample(logits.clone(), rows)
    backwards = sample(logits.flip(0).clone(), rows[::-1])[::-1]
    alone = [sample(logits[row : row + 1].clone(), [rows[row]])[0] for row in range(len(rows))]
    assert together == alone
    assert backwards == alone


def test_the_draw_depends_on_the_seed_and_the_place(sample: Sample) -> None:
    logits = random_logits(1, 1000) * 0.1
    by_seed = {sample(logits.clone(), [sequence(seed=seed)])[0].token_id for seed in range(50)}
    by_place = {sample(logits.clone(), [sequence(seed=1, output=[7] * place)])[0].token_id for place in range(50)}
    assert len(by_seed) > 40
    assert len(by_place) > 40
    again = [sample(logits.clone(), [sequence(seed=3, output=[8, 9])])[0] for _ in range(3)]
    assert len(set(again)) == 1


@pytest.mark.parametrize(
    "params",
    [{"temperature": 0}, {"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}, {"temperature": 1e-6}, {"temperature": 1e-300}],
)
def test_the_likeliest_token_wins_where_only_it_is_left(sample: Sample, params: dict[str, Any]) -> None:
    logits = random_logits(20, 300, seed=3)
    rows = [sequence(seed=row, **params) for row in range(20)]
    assert [found.token_id for found in sample(logits.clone(), rows)] == logits.argmax(-1).tolist()


def changed(sample: Sample, logits: list[float], **params: Any) -> list[float]:
    """What penalties make of logits, read back from log-probabilities of a second, unchanged pass."""
    row = torch.tensor([logits])
    sample(row, [sequence(prompt=[0, 1], output=[1, 2, 2], temperature=0, **params)])
    return [round(value, 4) for value in row[0].tolist()]


def test_penalties_and_bias_do_what_their_definitions_say(sample: Sample) -> None:
    logits = [2.0, -2.0, 1.0, 0.5]  # tokens 0, 1 in the prompt; 1 once and 2 twice in the output; 3 unseen
    assert changed(sample, logits, presence_penalty=0.5) == [2.0, -2.5, 0.5, 0.5]
    assert changed(sample, logits, frequency_penalty=0.5) == [2.0, -2.5, 0.0, 0.5]
    assert changed(sample, logits, frequency_penalty=-0.5, presence_penalty=0.25) == [2.0, -1.75, 1.75, 0.5]
    assert changed(sample, logits, repetition_penalty=2.0) == [1.0, -4.0, 0.5, 0.5]
    assert changed(sample, logits, logit_bias={3: 5.0, 0: -1.0}) == [1.0, -2.0, 1.0, 5.5]
    everything = changed(
        sample, logits, repetition_penalty=2.0, frequency_penalty=0.5, presence_penalty=0.25, logit_bias={2: 1.0}
    )
    assert everything == [1.0, -4.75, 0.25, 0.5]


def test_penalties_of_a_sequence_that_grows_are_those_of_one_that_is_read_anew(sample: Sample) -> None:
    params: dict[str, Any] = {"repetition_penalty": 1.3, "frequency_penalty": 0.4, "presence_penalty": 0.2, "seed": 3}
    growing = sequence(prompt=[5, 6, 5], **params)
    dice = random.Random(1)
    for step in range(150):
        for _ in range(dice.choice([1, 1, 3])):  # several where guesses were right
            growing.tokens.append(dice.randrange(400))
        logits, again = random_logits(1, 400, seed=step), random_logits(1, 400, seed=step)
        anew = sequence(prompt=growing.tokens[:3], output=growing.tokens[3:], **params)
        assert sample(logits, [growing]) == sample(again, [anew])
        assert torch.equal(logits, again)


def test_tokens_are_counted_once() -> None:
    counts = TokenCounts(start=1)
    assert [found.tolist() for found in counts.of([7, 8, 9, 8])] == [[8, 9], [2, 1]]
    assert [found.tolist() for found in counts.of([0, 0, 0, 0, 9, 3])] == [[8, 9, 3], [2, 2, 1]]  # none is read again


def test_bias_can_force_and_forbid_a_token(sample: Sample) -> None:
    logits = random_logits(1, 50, seed=4)
    for seed in range(20):
        forced = sample(logits.clone(), [sequence(seed=seed, logit_bias={17: 100.0})])
        assert forced[0].token_id == 17
    likeliest = int(logits.argmax())
    forbidden = sample(logits.clone(), [sequence(temperature=0, logit_bias={likeliest: -100.0})])
    assert forbidden[0].token_id == int(logits[0].topk(2).indices[1])


def test_logprobs_are_of_the_raw_distribution(sample: Sample) -> None:
    logits = random_logits(1, 200, seed=5)
    raw = logits[0].log_softmax(-1)
    row = sequence(seed=1, temperature=0.3, top_k=4, presence_penalty=1.0, logit_bias={8: 2.0}, logprobs=3)
    found = sample(logits.clone(), [row])[0]
    assert found.logprob == pytest.approx(float(raw[found.token_id]), abs=1e-6)
    top = raw.topk(3)
    assert [id for id, _ in found.top_logprobs] == top.indices.tolist()
    assert [value for _, value in found.top_logprobs] == pytest.approx(top.values.tolist(), abs=1e-6)


def test_logprobs_are_only_made_for_who_asked(sample: Sample) -> None:
    plain, chosen, top = sample(random_logits(3, 50), [sequence(), sequence(logprobs=0), sequence(logprobs=4)])
    assert (plain.logprob, plain.top_logprobs) == (None, ())
    assert chosen.logprob is not None
    assert chosen.top_logprobs == ()
    assert len(top.top_logprobs) == 4


def test_more_likely_tokens_than_the_vocabulary_are_all_of_it(sample: Sample) -> None:
    assert len(sample(random_logits(1, 7), [sequence(logprobs=20)])[0].top_logprobs) == 7


LETTERS = [chr(place).encode() for place in range(ord("a"), ord("z") + 1)]
VOCABULARY = [*LETTERS, *(first + second for first in LETTERS for second in LETTERS), b"<end>"]


@pytest.mark.parametrize("source", ['start: "a" | "zz"', "start: /[a-y]+/"], ids=["few", "most"])
@pytest.mark.parametrize("vocab", [len(VOCABULARY) + 20, len(VOCABULARY), 500], ids=["padded", "same", "fewer"])
@pytest.mark.parametrize("params", [{}, {"temperature": 0}, {"top_k": 9}, {"top_p": 0.9}, {"min_p": 0.1}], ids=str)
def test_only_what_a_grammar_allows_is_drawn(sample: Sample, params: dict[str, Any], vocab: int, source: str) -> None:
    end = len(VOCABULARY) - 1
    grammar = Grammars(tokens=lambda: VOCABULARY, special_ids=[end], end_ids=[end]).compile(source)
    pattern = re.compile(rb"a|z|zz" if "zz" in source else rb"[a-y]+")
    allowed = [id for id, token in enumerate(VOCABULARY[:vocab]) if pattern.fullmatch(token)]
    logits = random_logits(1, vocab, seed=8)
    only = torch.full((vocab,), -math.inf)
    only[allowed] = logits[0, allowed]
    for seed in range(20):
        row = sequence(seed=seed, logprobs=1, **params)
        token_id, is_near = (int(only.argmax()), False) if row.params.is_greedy else looked_up(only, row)
        row.matcher = grammar.matcher()
        found = sample(logits.clone(), [row])[0]
        assert found.token_id == token_id or is_near
        assert found.logprob == pytest.approx(float(logits[0].log_softmax(-1)[found.token_id]), abs=1e-5)


def test_a_grammar_of_tokens_that_have_no_logits_gives_none(sample: Sample) -> None:
    end = len(VOCABULARY) - 1
    row = sequence(seed=1)
    row.matcher = Grammars(tokens=lambda: VOCABULARY, special_ids=[end], end_ids=[end]).compile('start: "z"').matcher()
    assert sample(random_logits(1, 20), [row])[0].token_id == NO_TOKEN


@pytest.mark.parametrize("top", [0, 1, 5, 400])
def test_both_give_the_same_log_probabilities_of_given_tokens(top: int) -> None:
    logits = random_logits(3, 3000, seed=9)
    by_torch = sampler.logprobs_of(logits, [5, 0, 2999], top)
    by_numpy = sampler_cpu.logprobs_of(logits.numpy(), [5, 0, 2999], top)
    for (own, likeliest), (own_too, likeliest_too) in zip(by_torch, by_numpy, strict=True):
        assert own == pytest.approx(own_too, abs=1e-5)
        assert [id for id, _ in likeliest] == [id for id, _ in likeliest_too]
        assert [value for _, value in likeliest] == pytest.approx([value for _, value in likeliest_too], abs=1e-5)
