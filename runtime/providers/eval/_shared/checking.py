"""Whether an evaluation can be made: looked at before it begins, so that who made the mistake is told at once."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from runtime.apis.datasets.protocol import Row
from runtime.apis.eval.candidates import AgentCandidate, BenchmarkConfig
from runtime.apis.models import ModelRequest, Models
from runtime.apis.scoring.functions import EXPECTED, GENERATED, INPUT
from runtime.apis.scoring.params import ScoringParams
from runtime.apis.scoring_functions.protocol import ScoringFunction, ScoringFunctionRequest, ScoringFunctions
from runtime.errors import RequestError, StackError
from runtime.providers.eval._shared.candidates import MadeAgents, system_text
from runtime.providers.eval._shared.questions import ANSWERS, ASKING, named
from runtime.providers.eval._shared.scorers import Functions

T = TypeVar("T")
_PARAMS = "benchmark_config.scoring_params"
_CONTEXT = "context"
"""A column that an agent's answers may have."""


class Checks:
    """models, functions: that the stack has."""

    def __init__(self, models: Models, functions: ScoringFunctions, agents: MadeAgents) -> None:
        self._models = models
        self._functions = functions
        self._agents = agents

    async def functions(self, ids: Sequence[str], config: BenchmarkConfig) -> list[ScoringFunction]:
        """The functions. Raises NotFound for one that is not there and for the model of a judge, RequestError for
        params of a function that is none of them, and for a function that has none and needs some.
        """
        for name in config.scoring_params:
            if name not in ids:
                raise RequestError(
                    f"`{_PARAMS}` has `{name}`, which is none of the functions that score: {named(ids)}", param=_PARAMS
                )
        found = []
        for name in ids:
            function = await _found(
                self._functions.get_scoring_function(ScoringFunctionRequest(scoring_fn_id=name)), "scoring_functions"
            )
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
            found.append(function)
        return found

    async def candidate(self, config: BenchmarkConfig) -> None:
        """Raises NotFound for a model that is not there, NotSupported for an agent where there are none."""
        candidate, place = config.eval_candidate, "benchmark_config.eval_candidate"
        if isinstance(candidate, AgentCandidate):
            self._agents.check(candidate)
            await self._model(candidate.config.model, f"{place}.config.model")
            return
        if candidate.system_message is not None:
            system_text(candidate)
        await self._model(candidate.model, f"{place}.model")

    async def _model(self, model: str, place: str) -> None:
        await _found(self._models.get_model(ModelRequest(model_id=model)), place)


def check_rows(rows: Sequence[Row], functions: Sequence[ScoringFunction], *, what: str, param: str) -> None:
    """Raises RequestError for a row without what is asked, or without what a function reads. what: whose rows they
    are, for messages. param: the field that names them.
    """
    for number, row in enumerate(rows):
        where = f"Row {number} of {what}"
        if all(row.get(column) is None for column in ASKING):
            words = f"{where} has none of the columns {named(ASKING)}, one of which says what is asked"
            raise _missing(words, row, param)
        for function in functions:
            reads = f"which `{function.identifier}` reads"
            for column in function.metadata.get("columns") or ():
                if column == EXPECTED and all(name not in row for name in ANSWERS):
                    raise _missing(f"{where} has neither column of {named(ANSWERS)}, {reads}", row, param)
                if column not in (EXPECTED, GENERATED, INPUT, _CONTEXT) and column not in row:
                    raise _missing(f"{where} has no column `{column}`, {reads}", row, param)


def told(functions: Sequence[str], config: BenchmarkConfig) -> Functions:
    """What each function is told."""
    params: dict[str, ScoringParams] = config.scoring_params
    return {name: params.get(name) for name in functions}


def _has_to_be_told(function: ScoringFunction) -> bool:
    """Of those that are registered only their provider knows; of those that it lists, whoever has params has usual
    ones.
    """
    return function.params is None and "columns" in function.metadata


def _missing(words: str, row: Row, param: str) -> RequestError:
    return RequestError(f"{words}; it has {named(row)}", param=param, code="missing_columns")


async def _found(asked: Awaitable[T], param: str) -> T:
    """Raises errors with the name that a field has in the request."""
    try:
        return await asked
    except StackError as error:
        raise error.saying(error.message, param=param) from None
