"""`docvqa`: the average normalised Levenshtein similarity (ANLS), of which this is one row's.

Biten et al.: Scene text visual question answering, ICCV 2019, equation 1; Mathew et al.: DocVQA, WACV 2021, section
5.1. Case and how many spaces there are do not matter; the nearest of several expected answers counts; what is less
similar than the threshold, usually 0.5, is 0. A similarity of exactly the threshold counts, as DocVQA evaluates.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import EXPECTED, GENERATED, ListedFunction
from runtime.apis.scoring.params import BasicParams
from runtime.providers.scoring._edit_distance import edit_distance
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.row_function import Options, RowFunction, ScoreRow, Told, kind_of, text_in


class DocVQAOptions(Options):
    """What counts as read."""

    threshold: float = Field(
        0.5, ge=0, le=1, description="The least similarity that is not 0. The default is 0.5, as DocVQA has it."
    )


def similarity(given: str, expected: str, threshold: float) -> float:
    """1 for the same text, 0 for one that is less similar than the threshold."""
    given, expected = _plain(given), _plain(expected)
    longest, shortest = max(len(given), len(expected)), min(len(given), len(expected))
    if not longest:
        return 1.0
    if shortest / longest < threshold:  # it cannot be nearer than the characters that are missing
        return 0.0
    found = 1 - edit_distance(given, expected) / longest
    return found if found >= threshold else 0.0


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _prepare(told: Told) -> ScoreRow:
    threshold = told.options.threshold

    def score(row: Row) -> Row:
        given, expected = text_in(row, GENERATED), _answers(row[EXPECTED])
        return {"score": max(similarity(given, one, threshold) for one in expected)}

    return score


def _answers(value: Any) -> list[str]:
    """The expected answers: a list, JSON of one, as llama-stack has it, or one text. Raises NotScored."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = [value]
    answers = value if isinstance(value, list) else [value]
    if not answers:
        raise NotScored(f"`{EXPECTED}` is an empty list")
    for one in answers:
        if not isinstance(one, str | bool | int | float):
            raise NotScored(f"`{EXPECTED}` has {kind_of(one)}, and should have texts")
    return [one if isinstance(one, str) else json.dumps(one) for one in answers]


DOCVQA = RowFunction(
    listed=ListedFunction(
        name="docvqa",
        description="How like the generated answer is to the nearest expected one (ANLS): 1.0 where it is the same",
        params=BasicParams(aggregation_functions=["average"]),
    ),
    prepare=_prepare,
    options=DocVQAOptions,
)
