"""Draws tokens for all rows of a batch without reading anything back, so that a GPU can go on with them before anybody
knows them. Tokens are the same as `torch_rows.py` draws one row at a time, up to rounding. Knows sampling parameters;
no penalties and no grammars, which change the logits before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Rows

import numpy as np
import torch
from torch import Tensor

from runtime.engine.memory.device_copy import on_device
from runtime.engine.sampling.sampled import NO_TOKEN, uniform
from runtime.engine.scheduling.sequence import Sequence


def choose(logits: Tensor, sequences: Rows[Sequence], ahead: int = 0) -> Tensor:
    """A token for each row: [rows], int64, on the device; NO_TOKEN where the logits are not finite.

    logits: [rows, vocab_size], float32; row i belongs to sequences[i]. ahead: tokens of each sequence that have been
    drawn and not appended yet.
    """
    every = range(len(sequences))
    drawing = [row for row in every if not sequences[row].params.is_greedy]
    truncated = [row for row in drawing if sequences[row].params.is_truncated]
    plain = [row for row in drawing if not sequences[row].params.is_truncated]
    chosen = _likeliest(logits) if len(drawing) < len(sequences) else torch.empty_like(logits[:, 0], dtype=torch.int64)
    if not drawing:
        return chosen
    numbers = on_device(np.array([_numbers(sequence, logits.shape[1], ahead) for sequence in sequences]), logits.device)
    for rows, draw in ((plain, _draw_plain), (truncated, _draw_truncated)):
        if len(rows) == len(sequences):
            return draw(logits, numbers)
        if rows:
            places = on_device(np.array(rows), logits.device)
            chosen.index_copy_(0, places, draw(logits.index_select(0, places), numbers.index_select(0, places)))
    return chosen


def places_of(probabilities: Tensor, draws: Tensor) -> Tensor:
    """The first place of each row where the cumulative sum exceeds its draw; NO_TOKEN for a row without one.

    probabilities: [rows, n], float32, of any total above 0; draws: [rows, 1], float64, from 0 to below 1. Returns
    [rows], int64.
    """
    # float64: over 100,000 tokens a float32 sum is off by more than the probability of a rare token.
    cumulative = probabilities.double().cumsum(-1)
    totals = cumulative[:, -1:]
    # A draw rounded up to the total would be past the last token.
    draws = torch.minimum(draws * totals, totals.nextafter(torch.zeros_like(totals)))
    return torch.searchsorted(cumulative, draws, right=True).where(totals > 0, NO_TOKEN)[:, 0]


def _numbers(sequence: Sequence, vocab_size: int, ahead: int) -> tuple[float, ...]:
    """Temperature, tokens that top_k keeps, top_p, the logarithm of min_p, and the draw."""
    params = sequence.params
    return (
        params.temperature,
        params.top_k or vocab_size,
        params.top_p,
        math.log(params.min_p) if params.min_p else -math.inf,
        uniform(sequence.seed, sequence.output_length + ahead),
    )


def _likeliest(logits: Tensor) -> Tensor:
    """logits: [rows, vocab_size], float32. Returns [rows], int64."""
    values, ids = logits.max(-1)  # NaN counts as the largest
    return ids.where(values.isfinite(), NO_TOKEN)


def _draw_plain(logits: Tensor, numbers: Tensor) -> Tensor:
    """From whole rows, in vocabulary order. logits: [rows, vocab_size], float32; numbers: [rows, 5], float64, of
    `_numbers`. Returns [rows], int64.
    """
    temperatures, floors, draws = numbers[:, :1], numbers[:, 3:4], numbers[:, 4:]
    scaled = logits / temperatures.float()
    scaled = scaled.masked_fill(scaled < scaled.amax(-1, keepdim=True) + floors.float(), -math.inf)
    return places_of(scaled.softmax(-1), draws)


def _draw_truncated(logits: Tensor, numbers: Tensor) -> Tensor:
    """From sorted rows. logits: [rows, vocab_size], float32; numbers: [rows, 5], float64, of `_numbers`. Returns
    [rows], int64.
    """
    temperatures, most, shares, floors, draws = (numbers[:, place : place + 1] for place in range(5))
    values, ids = (logits / temperatures.float()).sort(dim=-1, descending=True, stable=True)
    ranks = torch.arange(values.shape[1], device=values.device)
    probabilities = values.masked_fill(ranks >= most, -math.inf).softmax(-1)
    before = probabilities.double().cumsum(-1) - probabilities
    # The first is always kept, also where top_p is 0; rounding must not cut a row that is to be whole.
    kept = (before < shares) | (ranks == 0) | (shares >= 1)
    kept &= probabilities >= floors.exp().float() * probabilities[:, :1]
    places = places_of(probabilities.where(kept, 0.0), draws)
    drawn: Tensor = ids.gather(1, places.clamp(min=0)[:, None])[:, 0]
    return drawn.where(places != NO_TOKEN, NO_TOKEN)
