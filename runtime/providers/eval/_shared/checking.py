"""Whether an evaluation can be made: looked at before it begins, so that who made the mistake is told at once."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from runtime.apis._request import Registered
from runtime.apis.datasets.protocol import Row
from runtime.apis.eval.candidates import AgentCandidate, BenchmarkConfig
from runtime.apis.models import ModelRequest, Models
from runtime.apis.scoring.functions import EXPECTED, GENERATED, INPUT, RowsApart, apart_from
from runtime.apis.scoring.params import ScoringParams
from runtime.apis.scoring.protocol import ScoreRowsRequest, Scoring
from runtime.apis.scoring_functions.protocol import ScoringFunction, ScoringFunctionRequest, ScoringFunctions
from runtime.errors import RequestError, StackError
from runtime.providers.eval._shared.candidates import MadeAgents, system_text
from runtime.providers.eval._shared.datasets import Datasets
from runtime.providers.eval._shared.questions import ANSWERS, ASKING, expected_of, named
from runtime.providers.eval._shared.scorers import Functions

T = TypeVar("T")
_FUNCTIONS = "scoring_functions"
_PARAMS = "benchmark_config.scoring_params"
_CONTEXT = "context"
"""A column that an agent's answers may have."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A function, told what it is told in an evaluation. columns: what it reads of each row, but for those `apart`."""

    function: str
    columns: Sequence[str]
    apart: Sequence[RowsApart]


class Checks:
    """models, functions, datasets: that the stack has."""

    def __init__(
        self, models: Models, functions: ScoringFunctions, scoring: Scoring, datasets: Datasets, agents: MadeAgents
    ) -> None:
        self._models = models
        self._functions = functions
        self._scoring = scoring
        self._datasets = datasets
        self._agents = agents

    async def benchmark(self, benchmark: Registered) -> None:
        """Raises NotFound for its dataset and a function of it that are not there, and as `whole` does."""
        self.whole(benchmark)
        await _found(self._datasets.check(benchmark.facts["dataset_id"]), "dataset_id")
        for name in benchmark.facts[_FUNCTIONS]:
            await self._function(name)

    def whole(self, benchmark: Registered) -> None:
        """Raises RequestError for a benchmark without a dataset or without functions."""
        for field in ("dataset_id", _FUNCTIONS):
            if not benchmark.facts[field]:
                raise RequestError(
                    f"The benchmark `{benchmark.id}` has no `{field}`, without which `{benchmark.provider_id}` cannot"
                    " evaluate anything",
                    param=field,
                )

    async def functions(self, ids: Sequence[str], config: BenchmarkConfig) -> list[Scores]:
        """The functions. Raises NotFound for one that is not there and for the model of a judge; RequestError for
        params of a function that is none of them, params that a function cannot have, and for a function that has none
        and needs some; Unavailable for one that cannot be used now.
        """
        for name in config.scoring_params:
            if name not in ids:
                raise RequestError(
                    f"`{_PARAMS}` has `{name}`, which is none of the functions that score: {named(ids)}", param=_PARAMS
                )
        found = []
        for name in ids:
            function = await self._function(name)
            told = config.scoring_params.get(name)
            if told is None and _has_to_be_told(function):
                raise RequestError(
                    f"`{name}` has to be told how it scores, such as by which `judge_model`",
                    hint=f"say it in `{_PARAMS}`, or register a function that has params of its own",
                    param=_PARAMS,
                )
            judge = getattr(told, "judge_model", None) or (function.params or {}).get("judge_model")
            if judge is not None:
                await self._model(judge, f"{_PARAMS}.{name}.judge_model")
            asked = ScoreRowsRequest(scoring_fn_id=name, rows=[], params=told)
            said = await _found(self._scoring.score_rows(asked), f"{_PARAMS}.{name}")
            columns = said.columns or (function.metadata.get("columns") if _is_listed(function) else None)
            found.append(Scores(function=name, columns=columns or (), apart=said.apart))
        return found

    async def candidate(self, config: BenchmarkConfig) -> None:
        """Raises NotFound for a model or tools that are not there, NotSupported for an agent where there are none."""
        candidate, place = config.eval_candidate, "benchmark_config.eval_candidate"
        if isinstance(candidate, AgentCandidate):
            await self._agents.check(candidate)
            await self._model(candidate.config.model, f"{place}.config.model")
            return
        if candidate.system_message is not None:
            system_text(candidate)
        await self._model(candidate.model, f"{place}.model")

    async def _function(self, name: str) -> ScoringFunction:
        asked = ScoringFunctionRequest(scoring_fn_id=name)
        return await _found(self._functions.get_scoring_function(asked), _FUNCTIONS)

    async def _model(self, model: str, place: str) -> None:
        await _found(self._models.get_model(ModelRequest(model_id=model)), place)


def check_rows(
    rows: Sequence[Row], functions: Sequence[Scores], config: BenchmarkConfig, *, what: str, param: str
) -> None:
    """Raises RequestError for a row without what is asked, without what a function reads, or that it never scores, and
    where no row at all says what is expected. what: whose rows they are, for messages. param: the field that names
    them.
    """
    made = (EXPECTED, GENERATED, INPUT, *([_CONTEXT] if isinstance(config.eval_candidate, AgentCandidate) else []))
    for number, row in enumerate(rows):
        where = f"Row {number} of {what}"
        if all(row.get(column) is None for column in ASKING):
            words = f"{where} has none of the columns {named(ASKING)}, one of which says what is asked"
            raise _missing(words, row, param)
        for function in functions:
            reads = f"which `{function.function}` reads"
            apart = apart_from(row, function.apart)
            if apart and apart.refused:
                raise RequestError(
                    f"{where} cannot be scored by `{function.function}`: {apart.refused}",
                    hint="leave such rows out, or name another function",
                    param=param,
                    code="row_not_scored",
                )
            for column in _columns(function, row):
                if column == EXPECTED and all(name not in row for name in ANSWERS):
                    raise _missing(f"{where} has neither column of {named(ANSWERS)}, {reads}", row, param)
                if column not in made and column not in row:
                    raise _missing(f"{where} has no column `{column}`, {reads}", row, param)
    for function in functions:
        expecting = [row for row in rows if EXPECTED in _columns(function, row)]
        if expecting and all(expected_of(row) is None for row in expecting):
            words = f"No row of {what} has anything in {named(ANSWERS)}, which `{function.function}` reads"
            raise _missing(words, expecting[0], param)


def _columns(function: Scores, row: Row) -> Sequence[str]:
    apart = apart_from(row, function.apart)
    return apart.columns if apart else function.columns


def told(functions: Sequence[str], config: BenchmarkConfig) -> Functions:
    """What each function is told."""
    params: dict[str, ScoringParams] = config.scoring_params
    return {name: params.get(name) for name in functions}


def _has_to_be_told(function: ScoringFunction) -> bool:
    """Of those that are registered only their provider knows; of those that it lists, whoever has params has usual
    ones.
    """
    return function.params is None and _is_listed(function)


def _is_listed(function: ScoringFunction) -> bool:
    """Whether its provider has listed it: the metadata of others are whatever somebody says."""
    return function.identifier == f"{function.provider_id}::{function.provider_resource_id}"


def _missing(words: str, row: Row, param: str) -> RequestError:
    return RequestError(f"{words}; it has {named(row)}", param=param, code="missing_columns")


async def _found(asked: Awaitable[T], param: str) -> T:
    """Raises errors with the name that a field has in the request."""
    try:
        return await asked
    except StackError as error:
        raise error.saying(error.message, param=param) from None
