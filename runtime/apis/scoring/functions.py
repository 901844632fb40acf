"""What a provider of scoring says of a function that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.params import ScoringParams
from runtime.errors import RequestError
from runtime.invalid.vocabulary import quoted

INPUT, GENERATED, EXPECTED = "input_query", "generated_answer", "expected_answer"
"""The columns that most functions read: what was asked, what was answered, what should have been."""

_MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class RowsApart:
    """Rows of a public set that a function takes otherwise than the rest. ids: what their `id` begins with. columns:
    what it reads of them. refused: why it scores none of them; empty where it does.
    """

    ids: Sequence[str]
    columns: Sequence[str] = ()
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class ListedFunction:
    """A function by its provider's own name, which is served as `provider_id::name`. returns: the type of its scores,
    one of `number`, `string`, `boolean`, `object`. params: its usual ones, None for one that has to be told some.
    columns: what it reads of each row, but for those that are `apart`.
    """

    name: str
    description: str
    params: ScoringParams | None
    returns: str = "number"
    columns: Sequence[str] = (GENERATED, EXPECTED)
    apart: Sequence[RowsApart] = ()


class ListsFunctions(Protocol):
    """What a provider of scoring has beside its operations."""

    async def list_scoring_functions(self) -> list[ListedFunction]: ...


def apart_from(row: Row, apart: Sequence[RowsApart]) -> RowsApart | None:
    """Those that a row is of, by its `id`; None where it is like most."""
    name = row.get("id")
    if not isinstance(name, str):
        return None
    return next((one for one in apart if name.startswith(tuple(one.ids))), None)


def check_columns(row: Row, number: int, columns: Sequence[str]) -> None:
    """number: of the row, from 1. Raises RequestError for the first of these columns that it lacks, with those that it
    has.
    """
    for column in columns:
        if column not in row:
            raise RequestError(
                f"Row {number} has no column `{column}`; it has {_named(row)}",
                hint=f"the function reads {', '.join(f'`{name}`' for name in columns)} of each row",
                param="rows",
            )


def _named(row: Row) -> str:
    names = [f"`{quoted(name)}`" for name in row]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more or "none"
