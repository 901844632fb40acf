"""A provider of scoring functions that exists only in tests."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict

from runtime.apis.scoring.functions import EXPECTED, GENERATED, ListedFunction
from runtime.apis.scoring.params import BasicParams
from runtime.apis.scoring.protocol import ScoredRows, ScoreRowsRequest
from runtime.errors import RequestError
from runtime.provider import ProviderContext
from runtime.spec import inline
from tests.support.mounting import add

LETTERS = {"provider_id": "letters", "provider_type": "inline::letters"}


class LettersConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Letters:
    """`same`: whether an answer is what was expected. `first`: its first letter; a row without one is an error.

    asked: every request, in order.
    """

    latest: Letters

    def __init__(self, config: LettersConfig, context: ProviderContext) -> None:
        self.asked: list[ScoreRowsRequest] = []
        type(self).latest = self

    async def list_scoring_functions(self) -> list[ListedFunction]:
        return [
            ListedFunction(name="same", description="Equal?", params=BasicParams(aggregation_functions=["accuracy"])),
            ListedFunction(name="first", description="The first", params=None, returns="string", columns=[GENERATED]),
        ]

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        if not request.rows:
            return ScoredRows(rows=[])
        self.asked.append(request)
        for column in (GENERATED, EXPECTED) if request.scoring_fn_id == "same" else (GENERATED,):
            if any(column not in row for row in request.rows):
                raise RequestError(f"no column `{column}`", param="rows")
        if request.scoring_fn_id == "same":
            return ScoredRows(rows=[{"score": float(row[GENERATED] == row[EXPECTED])} for row in request.rows])
        answers = [row[GENERATED] for row in request.rows]
        return ScoredRows(rows=[{"score": one[0]} if one else {"score": None, "error": "empty"} for one in answers])


def with_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plans have it. Before the run config is made."""
    where = f"{__name__}:Letters"
    spec = inline("letters", summary="Letters, for tests", adapter=where, config=f"{where}Config")
    add(monkeypatch, [], [spec.found_in("scoring", __name__)])
