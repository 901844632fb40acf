"""The functions that compute."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import TypeAdapter

from runtime.apis._request import Registered
from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import ListedFunction, apart_from, check_columns
from runtime.apis.scoring.params import BasicParams, RegexParserParams, ScoringParams
from runtime.apis.scoring.protocol import ERROR, SCORE, ScoredRows, ScoreRowsRequest
from runtime.errors import NotFound, RequestError
from runtime.invalid.vocabulary import quoted
from runtime.parsing.settings import checked_settings
from runtime.provider import ProviderContext
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring._regexes import Regexes, TooSlow
from runtime.providers.scoring.basic.bfcl.function import BFCL
from runtime.providers.scoring.basic.comparing import EQUALITY, SUBSET_OF
from runtime.providers.scoring.basic.config import BasicScoringConfig
from runtime.providers.scoring.basic.docvqa import DOCVQA
from runtime.providers.scoring.basic.ifeval.function import IFEVAL
from runtime.providers.scoring.basic.math.response import MATH_RESPONSE
from runtime.providers.scoring.basic.multiple_choice import MULTIPLE_CHOICE
from runtime.providers.scoring.basic.row_function import RowFunction, ScoreRow, Told
from runtime.similar import names_for

_ALL = (EQUALITY, SUBSET_OF, MULTIPLE_CHOICE, MATH_RESPONSE, DOCVQA, IFEVAL, BFCL)
_FUNCTIONS = {one.listed.name: one for one in _ALL}
_PARAMS: TypeAdapter[ScoringParams] = TypeAdapter(ScoringParams)
_ROWS_AT_ONCE = 100
"""Of a thread's turn: between two of them, a caller can leave."""


class BasicScoring:
    """Scores rows beside the event loop."""

    def __init__(self, config: BasicScoringConfig, context: ProviderContext) -> None:
        self._config = config
        self._usual: dict[tuple[str, ...], Regexes] = {}

    async def list_scoring_functions(self) -> list[ListedFunction]:
        return [one.listed for one in _FUNCTIONS.values()]

    async def check_registration(self, resource: Registered) -> None:
        """Raises NotFound for another function than those that are listed, RequestError for wrong params."""
        function = _function(resource.provider_resource_id, "provider_scoring_fn_id")
        given = resource.facts.get("params")
        if given:
            await asyncio.to_thread(self._prepared, function, _PARAMS.validate_python(given))

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        """Raises RequestError for rows without a column that the function reads and for wrong params, NotFound for a
        function that was registered here and is none.
        """
        function = _function(request.scoring_fn_id, "scoring_fn_id")
        score = await asyncio.to_thread(self._prepared, function, request.params or function.listed.params)
        scored: list[Row] = []
        for at in range(0, len(request.rows), _ROWS_AT_ONCE):
            scored += await asyncio.to_thread(_scored, function, score, request.rows[at : at + _ROWS_AT_ONCE], at)
        return ScoredRows(rows=scored, columns=[*function.listed.columns], apart=[*function.listed.apart])

    def _prepared(self, function: RowFunction, params: ScoringParams | None) -> ScoreRow:
        usual = function.listed.params
        if usual is None or params is None or params.type != usual.type:
            wanted = usual.type if usual else "basic"
            given = f"`{params.type}`" if params else "none"
            raise RequestError(
                f"`{function.listed.name}` takes params of the type `{wanted}`, and is given {given}", param="params"
            )
        options = params.options if isinstance(params, BasicParams) else None
        return function.prepare(
            Told(
                options=checked_settings(options or {}, function.options, at="params.options"),
                regexes=self._regexes(_patterns_of(params), _patterns_of(usual)),
            )
        )

    def _regexes(self, patterns: tuple[str, ...], usual: tuple[str, ...]) -> Regexes:
        """Those that are given, else the usual ones, which are compiled once."""
        chosen = patterns or usual
        found = self._usual.get(chosen)
        if found is None:
            found = Regexes(chosen, timeout_s=self._config.regex_timeout_s, at="params.parsing_regexes")
            if chosen == usual:
                self._usual[chosen] = found
        return found


def _patterns_of(params: ScoringParams) -> tuple[str, ...]:
    return tuple(params.parsing_regexes) if isinstance(params, RegexParserParams) else ()


def _function(name: str, param: str) -> RowFunction:
    if name not in _FUNCTIONS:
        raise NotFound(f"There is no function `{quoted(name)}` here ({names_for(name, list(_FUNCTIONS))})", param=param)
    return _FUNCTIONS[name]


def _scored(function: RowFunction, score: ScoreRow, rows: Sequence[Row], before: int) -> list[Row]:
    """before: how many rows there are before these. Raises RequestError for a column that one lacks."""
    for number, row in enumerate(rows, start=before + 1):
        apart = apart_from(row, function.listed.apart)
        check_columns(row, number, apart.columns if apart else function.listed.columns)
    return [_said(function, score, row) for row in rows]


def _said(function: RowFunction, score: ScoreRow, row: Row) -> Row:
    apart = apart_from(row, function.listed.apart)
    if apart and apart.refused:
        return {SCORE: None, ERROR: apart.refused}
    try:
        return score(row)
    except (NotScored, TooSlow) as error:
        return {SCORE: None, ERROR: str(error)}
    except RecursionError:
        return {SCORE: None, ERROR: "the row is nested too deeply"}
