"""Compares two evaluations of a benchmark, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field

from runtime.apis.eval.results import Comparison, Difference
from runtime.apis.scoring.protocol import SCORE
from runtime.providers.eval._shared.kept_rows import KeptRows, decode
from runtime.sse import Json
from runtime.statistics.paired import matched, paired_difference
from runtime.storage.sql import Row

_MOST_PLACES = 1000


@dataclass
class _Scored:
    """The rows of an evaluation that are scored. numbers, keys: of each; keys are equal for what is the same row in
    the other one. scores: of each by function, None where it is no number.
    """

    numbers: list[int] = field(default_factory=list)
    keys: list[Hashable] = field(default_factory=list)
    scores: dict[str, list[float | None]] = field(default_factory=dict)


async def compared(kept: KeptRows, run: Row, kept_before: KeptRows, before: Row) -> Comparison:
    """How a run differs from one before. run, before: with all columns. Raises Unavailable."""
    has_version = run["dataset_version"] is not None
    is_same = has_version and all(run[name] == before[name] for name in ("dataset_id", "dataset_version"))
    now = await _scored(kept, run, by_number=is_same)
    then = await _scored(kept_before, before, by_number=is_same)
    found = await asyncio.to_thread(_differences, now, then)
    pairs = len(await asyncio.to_thread(matched, now.keys, then.keys))
    summary: Json = {
        "matched_rows": pairs,
        "only_in_run": len(now.keys) - pairs,
        "only_in_baseline": len(then.keys) - pairs,
        "failed": {"run": run["failed"], "baseline": before["failed"]},
    }
    return Comparison(job_id=run["id"], baseline=before["id"], same_rows=is_same, functions=found, summary=summary)


async def _scored(kept: KeptRows, run: Row, *, by_number: bool) -> _Scored:
    found = _Scored(scores={function: [] for function in run["functions"]})
    async for rows in kept.every("digest", "scores", "is_scored"):
        for row in rows:
            if not row["is_scored"]:
                continue
            found.numbers.append(row["number"])
            found.keys.append(row["number"] if by_number else row["digest"])
            said = decode(row["scores"])
            for function, scores in found.scores.items():
                score = said[function].get(SCORE)
                scores.append(float(score) if isinstance(score, int | float) else None)
    return found


def _differences(now: _Scored, then: _Scored) -> dict[str, Difference]:
    pairs = matched(now.keys, then.keys)
    found = {}
    for function in now.scores.keys() & then.scores.keys():
        scores, before = now.scores[function], then.scores[function]
        both = [
            (now.numbers[place], score, score_before)
            for place, place_before in pairs
            if (score := scores[place]) is not None and (score_before := before[place_before]) is not None
        ]
        if both:
            found[function] = _difference(both)
    return {function: found[function] for function in now.scores if function in found}


def _difference(both: list[tuple[int, float, float]]) -> Difference:
    """both: of each row its number, its score, and its score before."""
    found = paired_difference([score for _, score, _ in both], [before for _, _, before in both])
    return Difference(
        baseline=found.baseline,
        mean=found.mean,
        difference=found.difference,
        confidence_interval=[found.low, found.high],
        p_value=found.p_value,
        test=found.test,
        num_rows=len(both),
        better=[number for number, score, before in both if score > before][:_MOST_PLACES],
        worse=[number for number, score, before in both if score < before][:_MOST_PLACES],
    )
