"""How far a distribution is from another: Kullback and Leibler 1951. Knows numpy; not where distributions come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]

TOP = 100
"""Tokens of a place that are told apart: as many as our engine gives log-probabilities of."""


def log_softmax(logits: Floats) -> Floats:
    """[places, vocab] -> the same."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    normal: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True, dtype=np.float64)).astype(logits.dtype)
    return normal


def likeliest(logprobs: Floats) -> tuple[Ids, Floats]:
    """The ids of the TOP likeliest tokens, in any order, and theirs: [places, vocab] -> [places, TOP] both."""
    ids = np.argpartition(-logprobs, TOP, axis=1)[:, :TOP]
    return ids, np.take_along_axis(logprobs, ids, axis=1)


def mean_divergence(reference: Floats, ids: Ids, logprobs: Floats) -> float:
    """The mean over places of sum p log(p / q), in nats, where all tokens but those given are one event.

    reference: log p, [places, vocab]. ids, logprobs: log q of some tokens, in each place others, [places, tokens].
    Never above the divergence of the whole distributions, and near it where the tokens given are the likely ones.
    """
    told = np.take_along_axis(reference, ids, axis=1).astype(np.float64)
    given = logprobs.astype(np.float64)
    rest, given_rest = (np.clip(1 - np.exp(part).sum(axis=1), 1e-12, 1) for part in (told, given))
    return float(((np.exp(told) * (told - given)).sum(axis=1) + rest * np.log(rest / given_rest)).mean())
