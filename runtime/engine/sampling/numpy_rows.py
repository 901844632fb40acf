"""From logits to token ids by numpy, row by row: what `torch_rows.py` does, without torch. Knows sampling parameters
and token counts; no model, no pages.

A greedy row costs one pass over the vocabulary, a drawn one a few. Truncation does not sort the vocabulary but what
lies above a floor: one that surely lies below the last token that is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Rows

import numpy as np
from numpy.typing import NDArray

from runtime.engine.requests.grammar import Matcher
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.sampling.sampled import NO_TOKEN, Sampled, uniform
from runtime.engine.scheduling.sequence import Sequence
from runtime.errors import RequestError

Floats = NDArray[np.float32]
Ids = NDArray[np.intp]

# Truncation by top_p looks at this many of the likeliest tokens first.
_LIKELY = 256
# Tokens whose probabilities are summed before the draw is looked up among them.
_BLOCK = 256
# Rows of a vocabulary laid out as a table, of whose columns the largest are taken to find a floor.
_DEPTH = 64
# Below this share of the vocabulary, allowed tokens are taken out of the row instead of forbidding the others in it.
_FEW = 1 / 4


def sample(logits: Floats, sequences: Rows[Sequence]) -> list[Sampled]:
    """A token for each row.

    logits: [rows, vocab_size], float32, raw; row i belongs to sequences[i]. Penalties, bias and grammars may be written
    into it. A row's token does not depend on the other rows.
    """
    with np.errstate(over="ignore"):
        return [_sample(row, sequence) for row, sequence in zip(logits, sequences, strict=True)]


def logprobs_of(logits: Floats, token_ids: Rows[int], top: int) -> list[tuple[float, tuple[tuple[int, float], ...]]]:
    """The log-probability of each row's token, and the `top` likeliest tokens as (token id, log-probability).

    logits: [rows, vocab_size], float32, raw; row i belongs to token_ids[i]. NaN where a row is not finite.
    """
    found = []
    with np.errstate(invalid="ignore"):
        for row, token_id in zip(logits, token_ids, strict=True):
            best = row.max()
            total = float(best) + math.log(float(np.exp(row - best).sum(dtype=np.float64)))
            ids = _likeliest(row, top).tolist() if top and math.isfinite(total) else []
            found.append((float(row[token_id]) - total, tuple((id, float(row[id]) - total) for id in ids)))
    return found


def _sample(row: Floats, sequence: Sequence) -> Sampled:
    """row: [vocab_size], float32, raw."""
    params = sequence.params
    raw = row if params.logprobs is None else row.copy()
    if params.changes_logits:
        _apply_penalties(row, sequence)
    if sequence.matcher is None:
        token_id = _choose(row, sequence)
    else:
        try:
            token_id = _choose_allowed(row, sequence, sequence.matcher)
        except RequestError as error:
            return Sampled(NO_TOKEN, failure=error)
    if params.logprobs is None or token_id == NO_TOKEN:
        return Sampled(token_id)
    logprob, top_logprobs = logprobs_of(raw[None], [token_id], params.logprobs)[0]
    # A grammar may have left out what is not finite.
    return Sampled(token_id, logprob, top_logprobs) if math.isfinite(logprob) else Sampled(NO_TOKEN)


def _apply_penalties(row: Floats, sequence: Sequence) -> None:
    """Apply penalties and bias in place, as `torch_rows.py` does. row: [vocab_size], float32."""
    params = sequence.params
    if params.repetition_penalty != 1:
        seen, _ = sequence.counts.of(sequence.tokens)
        old = row[seen]
        row[seen] = np.where(old > 0, old / params.repetition_penalty, old * params.repetition_penalty)
    if (params.frequency_penalty or params.presence_penalty) and sequence.output_length:
        seen, counts = sequence.output_counts.of(sequence.tokens)
        row[seen] -= params.frequency_penalty * counts + params.presence_penalty
    if params.logit_bias:
        row[sequence.biased] += sequence.biases


def _choose_allowed(row: Floats, sequence: Sequence, matcher: Matcher) -> int:
    """A token that the grammar allows. row: [vocab_size], float32, with penalties and bias.

    Raises RequestError where the grammar can no longer be followed.
    """
    mask = np.frombuffer(matcher.allowed(), np.uint8)
    is_allowed = np.unpackbits(mask, bitorder="little").view(np.bool_)[: len(row)]
    count = np.count_nonzero(is_allowed)
    if count < _FEW * len(row):
        ids = np.flatnonzero(is_allowed)
        place = _choose(row[ids], sequence) if count else NO_TOKEN
        return NO_TOKEN if place == NO_TOKEN else int(ids[place])
    np.copyto(row[: len(is_allowed)], -np.inf, where=~is_allowed)
    row[len(is_allowed) :] = -np.inf  # ids that pad the vocabulary have no text
    return _choose(row, sequence)


def _choose(row: Floats, sequence: Sequence) -> int:
    """The place of a token in the row; NO_TOKEN where the largest logit is not finite.

    row: [tokens], float32, with penalties and bias.
    """
    params = sequence.params
    likeliest = int(row.argmax())  # NaN counts as the largest
    best = float(row[likeliest])
    if not math.isfinite(best):
        return NO_TOKEN
    if params.is_greedy:
        return likeliest
    draw = uniform(sequence.seed, sequence.output_length)
    if params.is_truncated:
        return _draw_truncated(row, best, sequence, draw)
    return _draw_plain(row, best, sequence, draw)


def _draw_plain(row: Floats, best: float, sequence: Sequence, draw: float) -> int:
    """Draw from the whole row, in vocabulary order. row: [tokens], float32; best: its largest; draw: in [0, 1)."""
    blocks = -(-len(row) // _BLOCK)
    padded = np.empty(blocks * _BLOCK, np.float32)
    padded[len(row) :] = 0
    weights = _weigh(row, best, sequence.params.temperature, padded[: len(row)])
    if sequence.params.min_p:
        weights *= weights >= sequence.params.min_p
    table = padded.reshape(blocks, _BLOCK)
    # Within a block float32 is exact enough: the weights are rounded to it too. Over all blocks it would not be.
    ends = np.einsum("ij->i", table).cumsum(dtype=np.float64)
    target = _target(ends, draw)
    block = int(ends.searchsorted(target, side="right"))
    inside = table[block].cumsum(dtype=np.float64)
    # The two sums of a block may differ in their last digits, so a draw near its end may lie past `inside`.
    rest = min(target - (float(ends[block - 1]) if block else 0.0), _target(inside, 1.0))
    return block * _BLOCK + int(inside.searchsorted(rest, side="right"))


def _draw_truncated(row: Floats, best: float, sequence: Sequence, draw: float) -> int:
    """Draw from the likeliest tokens, the likeliest first.

    row: [tokens], float32; best: its largest; draw: in [0, 1).
    """
    params = sequence.params
    if params.top_k:
        ids = _likeliest(row, params.top_k)
        weights = _weigh(row[ids], best, params.temperature)
        return int(ids[_draw_in_order(weights, float(weights.sum(dtype=np.float64)), params, draw)])
    weights = _weigh(row, best, params.temperature)
    total = float(weights.sum(dtype=np.float64))
    ids = _likeliest(row, _LIKELY)
    likeliest = weights[ids]
    if _has(likeliest, params.top_p * total):
        return int(ids[_draw_in_order(likeliest, total, params, draw)])
    likeliest = _nucleus(weights, total, float(likeliest[-1]), params.top_p)
    place = _draw_in_order(likeliest, total, params, draw)
    # Equally likely tokens stand in the order of the vocabulary, as far as they are among the likeliest at all.
    first = len(likeliest) - int(likeliest[::-1].searchsorted(likeliest[place], side="right"))
    return int(np.flatnonzero(weights == likeliest[place])[place - first])


def _nucleus(weights: Floats, total: float, floor: float, top_p: float) -> Floats:
    """The largest weights, the largest first: some more than have a share of top_p. weights: [tokens], float32.

    total: their sum. floor: a weight of which it is known that those above it have less than that share.
    """
    # All tokens below this weight together have no more than what top_p leaves out.
    lowest = (1 - top_p) * total / len(weights)
    while True:
        floor = max(floor / 8, lowest)
        likeliest = weights[weights >= floor]
        if floor == lowest or _has(likeliest, top_p * total):
            return np.sort(likeliest)[::-1]


def _has(weights: Floats, share: float) -> bool:
    """Whether the sum of the weights is larger than a share. weights: [tokens], float32."""
    return float(weights.sum(dtype=np.float64)) > share


def _draw_in_order(weights: Floats, total: float, params: SamplingParams, draw: float) -> int:
    """A place among the likeliest tokens.

    weights: [tokens], float32, the largest first; total: the sum that top_p is a share of; draw: in [0, 1).
    """
    ends = weights.cumsum(dtype=np.float64)
    if params.top_p < 1:
        # A token is kept where those before it have less than top_p; the first always is.
        ends = ends[: 1 + int(ends[:-1].searchsorted(params.top_p * total))]
    if params.min_p:
        weights = weights[: len(ends)]
        ends = np.where(weights >= params.min_p * weights[0], weights, 0).cumsum(dtype=np.float64)
    return int(ends.searchsorted(_target(ends, draw), side="right"))


def _weigh(row: Floats, best: float, temperature: float, out: Floats | None = None) -> Floats:
    """Probabilities up to a factor: 1 for the likeliest token.

    row and out: [tokens], float32; best: the row's largest.
    """
    weights = np.subtract(row, np.float32(best), out=out)
    weights *= np.float32(1 / temperature)
    return np.exp(weights, out=weights)


def _target(ends: NDArray[np.float64], draw: float) -> float:
    """Where a draw in [0, 1] lies in a cumulative sum: always before its end. ends: [tokens or blocks], float64."""
    total = float(ends[-1])
    return min(draw * total, math.nextafter(total, 0))


def _likeliest(row: Floats, count: int) -> Ids:
    """The places of the `count` largest, the largest first, equal ones by place.

    row: [tokens], float32, without NaN.
    """
    if count >= len(row):
        return _sorted(row, np.arange(len(row)))
    width = len(row) // _DEPTH
    # As many columns have a value of this size or more, so at least as many tokens have.
    columns = row[: width * _DEPTH].reshape(_DEPTH, width).max(0) if count <= width else row
    place = len(columns) - count
    floor = np.partition(columns, place)[place]
    return _sorted(row, np.flatnonzero(row >= floor))[:count]


def _sorted(row: Floats, ids: Ids) -> Ids:
    """ids in the order of their values, the largest first, equal ones in the order given. row: [tokens], float32."""
    return ids[np.argsort(-row[ids], kind="stable")]
