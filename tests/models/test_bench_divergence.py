"""The divergence that the engine's benchmark reports, against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.bench.engine.divergence import TOP, likeliest, log_softmax, mean_divergence


def two() -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities, [places, vocab], and those of a neighbour."""
    draws = np.random.default_rng(7)
    logits = draws.normal(scale=4, size=(20, 1000))
    return log_softmax(logits), log_softmax(logits + draws.normal(scale=0.3, size=logits.shape))


def whole(reference: np.ndarray, other: np.ndarray) -> float:
    return float((np.exp(reference) * (reference - other)).sum(axis=1).mean())


def test_log_softmax_is_a_distribution_whatever_is_added() -> None:
    logits = np.array([[1e4, 1e4 - 1, 0.0], [-1e4, -1e4, -1e4]], np.float32)
    found = log_softmax(logits)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found[1], -np.log(3), rtol=1e-6)


def test_all_tokens_told_apart_give_the_whole_divergence() -> None:
    reference, other = two()
    ids = np.tile(np.arange(reference.shape[1]), (len(reference), 1))
    assert mean_divergence(reference, ids, other) == pytest.approx(whole(reference, other), rel=1e-9)


def test_the_likeliest_tokens_give_most_of_it_and_never_more() -> None:
    reference, other = two()
    ids, logprobs = likeliest(other)
    assert ids.shape == logprobs.shape == (len(other), TOP)
    assert (np.sort(logprobs) == np.sort(other)[:, -TOP:]).all()
    found = mean_divergence(reference, ids, logprobs)
    assert 0.5 * whole(reference, other) < found < whole(reference, other)


def test_a_distribution_is_at_no_distance_from_itself() -> None:
    reference, _ = two()
    assert mean_divergence(reference, *likeliest(reference)) == pytest.approx(0, abs=1e-9)
