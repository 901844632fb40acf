"""`docvqa`: the average normalised Levenshtein similarity (ANLS), of which this is one row's.

Biten et al.: Scene text visual question answering, ICCV 2019, equation 1; Mathew et al.: DocVQA, WACV 2021, section
5.1. Case and how many spaces there are do not matter; the nearest of several expected answers counts; what is less
similar than the threshold, usually 0.5, is 0. A similarity of exactly the threshold counts, as DocVQA evaluates.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import EXPECTED, GENERATED, ListedFunction
from runtime.apis.scoring.params import BasicParams
from runtime.providers.scoring._edit_distance import edit_distance
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.row_function import Options, RowFunction, ScoreRow, Told, kind_of, text_in

_MOST_PAIRS = 10**8
"""Of characters, one of each text, that are compared for a row: the time grows with both lengths, to 0.1 s."""


class DocVQAOptions(Options):
    """What counts as read."""

    threshold: float = Field(
        0.5, ge=0, le=1, description="The least similarity that is not 0. The default is 0.5, as DocVQA has it."
    )


def similarity(given: str, expected: Sequence[str], threshold: float) -> float:
    """To the nearest of some texts: 1 for the same, 0 where all are less similar than the threshold. Raises NotScored
    for texts that take too long to compare.
    """
    given = _plain(given)
    others = [one for one in map(_plain, expected) if _may_be_near(given, one, threshold)]
    if given in others:
        return 1.0
    if len(given) * sum(map(len, others)) > _MOST_PAIRS:
        raise NotScored(
            f"`{GENERATED}` and `{EXPECTED}` are too long to be compared: {len(given)} and {sum(map(len, others))}"
            f" characters, and {_MOST_PAIRS} is the most that one times the other may be"
        )
    found = (1 - edit_distance(given, one) / max(len(given), len(one)) for one in others)
    return max((nearness for nearness in found if nearness >= threshold), default=0.0)


def _may_be_near(given: str, expected: str, threshold: float) -> bool:
    """Whether the characters that one has more than the other do not make them differ too much already."""
    longest, shortest = max(len(given), len(expected)), min(len(given), len(expected))
    return not longest or shortest / longest >= threshold


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _prepare(told: Told) -> ScoreRow:
    threshold = told.options.threshold

    def score(row: Row) -> Row:
        return {"score": similarity(text_in(row, GENERATED), _answers(row[EXPECTED]), threshold)}

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
