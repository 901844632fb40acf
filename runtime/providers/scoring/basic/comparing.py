"""`equality` and `subset_of`: the generated answer against the expected one, as they are.

As llama-stack's `basic::equality` and `basic::subset_of`: 1.0 where the answer is the expected one, or has it in it.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import EXPECTED, GENERATED, ListedFunction
from runtime.apis.scoring.params import BasicParams
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.row_function import Options, RowFunction, ScoreRow, Told, text_in

_MOST_PAIRS = 10**6
"""Of lists and objects that are compared with each other for one row."""


class ComparingOptions(Options):
    """How texts are compared."""

    ignore_case: bool = Field(False, description="Whether `Paris` is `paris`. The default is false.")
    ignore_spaces: bool = Field(
        False,
        description="Whether spaces around a text, and how many are within it, do not count. The default is false.",
    )

    def seen(self, text: str) -> str:
        """A text as it is compared."""
        text = " ".join(text.split()) if self.ignore_spaces else text
        return text.casefold() if self.ignore_case else text


def _equality(told: Told) -> ScoreRow:
    def score(row: Row) -> Row:
        given, expected = row[GENERATED], row[EXPECTED]
        if not (_is_text(given) or _is_text(expected)):
            return {"score": float(given == expected and isinstance(given, bool) == isinstance(expected, bool))}
        seen = told.options.seen
        return {"score": float(seen(text_in(row, GENERATED)) == seen(text_in(row, EXPECTED)))}

    return score


def _subset_of(told: Told) -> ScoreRow:
    def score(row: Row) -> Row:
        given, expected = row[GENERATED], row[EXPECTED]
        if isinstance(given, list) and isinstance(expected, list):
            return {"score": float(_has_all(given, expected))}
        seen = told.options.seen
        part = seen(text_in(row, EXPECTED))
        if not part:
            raise NotScored(f"`{EXPECTED}` is empty, and every answer has that in it")
        return {"score": float(part in seen(text_in(row, GENERATED)))}

    return score


def _has_all(given: list[Any], expected: list[Any]) -> bool:
    """Whether each value of one list is in the other. Raises NotScored for lists of so many lists and objects that it
    would take too long.
    """
    plain = {one for one in given if not isinstance(one, list | dict)}
    nested = [one for one in given if isinstance(one, list | dict)]
    wanted = [one for one in expected if isinstance(one, list | dict)]
    if len(nested) * len(wanted) > _MOST_PAIRS:
        raise NotScored(f"`{GENERATED}` and `{EXPECTED}` have too many lists and objects to be compared")
    if any(one not in plain for one in expected if not isinstance(one, list | dict)):
        return False
    return all(one in nested for one in wanted)


def _is_text(value: Any) -> bool:
    """Whether a value is compared as text; null is none, and is refused there."""
    return isinstance(value, str | None)


EQUALITY = RowFunction(
    listed=ListedFunction(
        name="equality",
        description="1.0 where the generated answer is the expected one, 0.0 elsewhere",
        params=BasicParams(aggregation_functions=["accuracy"]),
    ),
    prepare=_equality,
    options=ComparingOptions,
)
SUBSET_OF = RowFunction(
    listed=ListedFunction(
        name="subset_of",
        description="1.0 where the expected answer is part of the generated one, 0.0 elsewhere",
        params=BasicParams(aggregation_functions=["accuracy"]),
    ),
    prepare=_subset_of,
    options=ComparingOptions,
)
