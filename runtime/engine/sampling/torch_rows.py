"""From logits to token ids, for many sequences at once, by torch on any device. Knows sampling parameters and token
counts; no model, no pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence as Rows
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from runtime.engine.memory.device_copy import on_device
from runtime.engine.requests.grammar import Matcher
from runtime.engine.sampling.sampled import NO_TOKEN, Sampled, uniform
from runtime.engine.sampling.torch_batched import places_of
from runtime.engine.scheduling.sequence import Sequence
from runtime.errors import RequestError

# Truncation looks at this many of the likeliest tokens first; it sorts the whole vocabulary only where it needs more.
_LIKELY = 256


def sample(
    logits: Tensor, sequences: Rows[Sequence], choose: Callable[[Tensor, Rows[Sequence]], list[int]] | None = None
) -> list[Sampled]:
    """A token for each row.

    logits: [rows, vocab_size], float32, raw; row i belongs to sequences[i]. Penalties, bias and grammars are written
    into it. choose: takes logits to which that has been done; None takes them one row at a time where they are sorted,
    so that most of a row need not be.
    """
    reports = _reports(logits, sequences)
    failures: dict[int, Sampled] = {}
    for row, sequence in enumerate(sequences):
        if sequence.params.changes_logits:
            _apply_penalties(logits[row], sequence)
        if sequence.matcher is not None:
            try:
                _apply_grammar(logits[row], sequence.matcher)
            except RequestError as error:
                failures[row] = Sampled(NO_TOKEN, failure=error)
    chosen = (choose or _choose)(logits, sequences)
    sampled = [_sampled(token_id, report) for token_id, report in zip(chosen, reports, strict=True)]
    return [failures.get(row, one) for row, one in enumerate(sampled)]


def logprobs_of(logits: Tensor, token_ids: Rows[int], top: int) -> list[tuple[float, tuple[tuple[int, float], ...]]]:
    """The log-probability of each row's token, and the `top` likeliest tokens as (token id, log-probability).

    logits: [rows, vocab_size], float32, raw; row i belongs to token_ids[i].
    """
    distribution = logits.log_softmax(-1)
    own = distribution.gather(1, torch.tensor(token_ids, device=logits.device)[:, None])[:, 0].tolist()
    if not top:
        return [(value, ()) for value in own]
    values, ids = distribution.topk(min(top, logits.shape[1]), dim=-1)
    pairs = zip(own, ids.tolist(), values.tolist(), strict=True)
    return [(value, tuple(zip(row_ids, row_values, strict=True))) for value, row_ids, row_values in pairs]


@dataclass(frozen=True, slots=True)
class _Report:
    """The raw distribution of one row. logprobs: [vocab_size], float32; top: (token id, log-probability)."""

    logprobs: Tensor
    top: tuple[tuple[int, float], ...]


def _reports(logits: Tensor, sequences: Rows[Sequence]) -> list[_Report | None]:
    """logits: [rows, vocab_size], float32, raw; row i belongs to sequences[i]."""
    wanting = [row for row, sequence in enumerate(sequences) if sequence.params.logprobs is not None]
    reports: list[_Report | None] = [None] * len(sequences)
    if not wanting:
        return reports
    distributions = logits[wanting].log_softmax(-1)
    widest = max(sequences[row].params.logprobs or 0 for row in wanting)
    values, ids = distributions.topk(min(widest, logits.shape[1]), dim=-1)
    for place, row in enumerate(wanting):
        asked = sequences[row].params.logprobs or 0
        top = tuple(zip(ids[place, :asked].tolist(), values[place, :asked].tolist(), strict=True))
        reports[row] = _Report(distributions[place], top)
    return reports


def _sampled(token_id: int, report: _Report | None) -> Sampled:
    if report is None or token_id == NO_TOKEN:
        return Sampled(token_id)
    logprob = float(report.logprobs[token_id])
    # A grammar may have left out what is not finite.
    return Sampled(token_id, logprob, report.top) if math.isfinite(logprob) else Sampled(NO_TOKEN)


def _apply_penalties(logits: Tensor, sequence: Sequence) -> None:
    """Apply penalties and bias to one row in place. Only the tokens concerned are touched.

    logits: [vocab_size], float32. Repetition: Keskar et al. 2019 (CTRL), section 4.1, with negative logits multiplied.
    Frequency and presence: https://platform.openai.com/docs/api-reference/chat/create.
    """
    params, device = sequence.params, logits.device
    if params.repetition_penalty != 1:
        seen = on_device(sequence.counts.of(sequence.tokens)[0], device)
        old = logits[seen]
        logits[seen] = torch.where(old > 0, old / params.repetition_penalty, old * params.repetition_penalty)
    if (params.frequency_penalty or params.presence_penalty) and sequence.output_length:
        seen, counts = (on_device(found, device) for found in sequence.output_counts.of(sequence.tokens))
        logits[seen] -= params.frequency_penalty * counts + params.presence_penalty
    if params.logit_bias:
        logits[on_device(sequence.biased, device)] += on_device(sequence.biases, device)


def _apply_grammar(logits: Tensor, matcher: Matcher) -> None:
    """Leave out, in place, the tokens that the grammar does not allow next. logits: [vocab_size], float32.

    Raises RequestError where the grammar can no longer be followed.
    """
    # Unpacked by numpy: torch takes a hundred times as long on a CPU, and on a GPU it would be four launches.
    bits = np.unpackbits(np.frombuffer(matcher.allowed(), np.uint8), bitorder="little")[: len(logits)]
    is_forbidden = torch.from_numpy(bits == 0).to(logits.device)
    logits[: len(bits)].masked_fill_(is_forbidden, -math.inf)
    logits[len(bits) :] = -math.inf  # ids that pad the vocabulary have no text


def _choose(logits: Tensor, sequences: Rows[Sequence]) -> list[int]:
    """logits: [rows, vocab_size], float32, with penalties and bias; row i belongs to sequences[i]."""
    drawing = [row for row, sequence in enumerate(sequences) if not sequence.params.is_greedy]
    if not drawing:
        return _likeliest(logits)
    chosen = [0] * len(sequences)
    greedy = [row for row, sequence in enumerate(sequences) if sequence.params.is_greedy]
    if greedy:
        for row, id in zip(greedy, _likeliest(logits[greedy]), strict=True):
            chosen[row] = id
    plain = [row for row in drawing if not sequences[row].params.is_truncated]
    if plain:
        for row, id in zip(plain, _draw_plain(logits[plain], [sequences[row] for row in plain]), strict=True):
            chosen[row] = id
    for row in drawing:
        if sequences[row].params.is_truncated:
            chosen[row] = _draw_truncated(logits[row], sequences[row])
    return chosen


def _likeliest(logits: Tensor) -> list[int]:
    """The likeliest token of each row, NO_TOKEN where it is not finite. logits: [rows, vocab_size], float32."""
    values, ids = logits.max(-1)  # NaN counts as the largest
    return [int(id) for id in ids.where(values.isfinite(), NO_TOKEN).tolist()]


def _draw_plain(logits: Tensor, sequences: Rows[Sequence]) -> list[int]:
    """Draw from whole rows, in vocabulary order: nothing needs sorting.

    logits: [rows, vocab_size], float32; row i belongs to sequences[i].
    """
    scaled = logits / _column([sequence.params.temperature for sequence in sequences], logits)
    if any(sequence.params.min_p for sequence in sequences):
        floor = _column([_log(sequence.params.min_p) for sequence in sequences], logits)
        scaled.masked_fill_(scaled < scaled.amax(-1, keepdim=True) + floor, -math.inf)
    return _draw(scaled.softmax(-1), sequences)


def _draw_truncated(logits: Tensor, sequence: Sequence) -> int:
    """Draw from the likeliest tokens of one row. logits: [vocab_size], float32.

    One row at a time: which tokens are kept, ties included, must not depend on the parameters of other sequences.
    """
    params = sequence.params
    scaled = logits / params.temperature
    vocab = len(scaled)
    values, ids = scaled.topk(min(_LIKELY, vocab))
    if params.top_k:
        if params.top_k > len(values):
            values, ids = scaled.sort(descending=True, stable=True)
        values, ids = values[: params.top_k], ids[: params.top_k]
        probabilities = values.softmax(-1)
    else:
        # These are enough where they have all of top_p's probability: the total is over the whole row.
        probabilities = (values - scaled.logsumexp(-1)).exp()
        if float(probabilities.double().sum()) <= params.top_p and len(values) < vocab:
            values, ids = scaled.sort(descending=True, stable=True)
            probabilities = values.softmax(-1)
    if params.top_p < 1:
        before = probabilities.double().cumsum(-1) - probabilities
        # The first is always kept, also where top_p is 0.
        kept = max(1, int((before < params.top_p).sum()))
        probabilities, ids = probabilities[:kept], ids[:kept]
    if params.min_p:
        probabilities = probabilities.where(probabilities >= params.min_p * probabilities[0], 0.0)
    place = _draw(probabilities[None], [sequence])[0]
    return NO_TOKEN if place == NO_TOKEN else int(ids[place])


def _draw(probabilities: Tensor, sequences: Rows[Sequence]) -> list[int]:
    """The first place of each row where the cumulative sum exceeds its draw; NO_TOKEN for a row without one.

    probabilities: [rows, n], float32, of any total above 0; row i belongs to sequences[i].
    """
    draws = torch.tensor(
        [uniform(sequence.seed, sequence.output_length) for sequence in sequences], dtype=torch.float64
    )
    return [int(place) for place in places_of(probabilities, draws[:, None].to(probabilities.device)).tolist()]


def _column(values: Rows[float], like: Tensor) -> Tensor:
    """[rows, 1], with the dtype and on the device of `like`."""
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None]


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
