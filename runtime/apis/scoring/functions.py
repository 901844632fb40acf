"""What a provider of scoring says of a function that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.apis.scoring.params import ScoringParams

INPUT, GENERATED, EXPECTED = "input_query", "generated_answer", "expected_answer"
"""The columns that most functions read: what was asked, what was answered, what should have been."""


@dataclass(frozen=True, kw_only=True)
class ListedFunction:
    """A function by its provider's own name, which is served as `provider_id::name`. returns: the type of its scores,
    one of `number`, `string`, `boolean`, `object`. params: its usual ones, None for one that has to be told some.
    columns: what it reads of each row.
    """

    name: str
    description: str
    params: ScoringParams | None
    returns: str = "number"
    columns: Sequence[str] = (GENERATED, EXPECTED)


class ListsFunctions(Protocol):
    """What a provider of scoring has beside its operations."""

    async def list_scoring_functions(self) -> list[ListedFunction]: ...
