"""Scores rows by scorers of autoevals, each in a thread: the library asks its models one after the other, and waits."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import TypeAdapter

from runtime.apis._request import Registered
from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import ListedFunction, check_columns
from runtime.apis.scoring.params import BasicParams, LLMAsJudgeParams, ScoringParams
from runtime.apis.scoring.protocol import ScoredRows, ScoreRowsRequest
from runtime.concurrently import concurrently
from runtime.errors import NotFound, RequestError
from runtime.invalid.vocabulary import quoted
from runtime.parsing.settings import checked_settings
from runtime.provider import ProviderContext
from runtime.providers.scoring._asking import Asking, text_in
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.braintrust.config import BraintrustConfig, BraintrustModels
from runtime.providers.scoring.braintrust.scorers import CONTEXT, SCORERS, Scorer
from runtime.similar import names_for

_PARAMS: TypeAdapter[ScoringParams] = TypeAdapter(ScoringParams)
_ONLY_OF_JUDGES = ("prompt_template", "judge_score_regexes", "score_range")


class BraintrustScoring:
    """The scorers. A row that one cannot score has an error with what the judge said."""

    def __init__(self, config: BraintrustConfig, context: ProviderContext) -> None:
        self._config = config
        self._asking = Asking(context, at_once=config.at_once, max_tokens=config.max_tokens)
        # Not the threads of the event loop, where models that are asked may have their own work to do.
        self._threads = ThreadPoolExecutor(config.at_once, thread_name_prefix=context.provider_id)

    async def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def list_scoring_functions(self) -> list[ListedFunction]:
        return [scorer.listed for scorer in SCORERS.values()]

    async def check_registration(self, resource: Registered) -> None:
        """Raises NotFound for another scorer than those that are listed, RequestError for wrong params."""
        _scorer(resource.provider_resource_id, "provider_scoring_fn_id")
        if given := resource.facts.get("params"):
            _told(resource.provider_resource_id, _PARAMS.validate_python(given))

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        """Raises RequestError for wrong params, rows without a column that the scorer reads, and a model that cannot be
        asked.
        """
        scorer = _scorer(request.scoring_fn_id, "scoring_fn_id")
        models = self._models(scorer, request.params)
        for number, row in enumerate(request.rows, start=1):
            check_columns(row, number, scorer.columns)

        async def scored(row: Row) -> Row:
            try:
                return await self._scored(scorer, models, {name: _text(name, row[name]) for name in scorer.columns})
            except NotScored as error:
                return error.result()

        found = await concurrently(scored, request.rows, at_once=self._config.at_once)
        return ScoredRows(rows=found, columns=[*scorer.columns])

    def _models(self, scorer: Scorer, params: ScoringParams | None) -> BraintrustModels:
        """Raises RequestError where one is needed that nobody names."""
        told = _told(scorer.name, params)
        found = BraintrustModels(
            judge_model=told.judge_model or self._config.judge_model,
            embedding_model=told.embedding_model or self._config.embedding_model,
        )
        for name, is_needed in (("judge_model", scorer.judges), ("embedding_model", scorer.embeds)):
            if is_needed and getattr(found, name) is None:
                raise RequestError(
                    f"`{scorer.name}` asks a model that nobody names: `{name}`",
                    hint=f'give it params: {{"type": "basic", "options": {{"{name}": "MODEL"}}}}',
                    param="params",
                )
        return found

    async def _scored(self, scorer: Scorer, models: BraintrustModels, texts: Mapping[str, str]) -> Row:
        """Raises NotScored, RequestError."""
        loop = asyncio.get_running_loop()
        running = await loop.run_in_executor(self._threads, _library)
        client = running.ModelsOfRow(self._asking, loop)
        context = contextvars.copy_context()
        try:
            row: Row = await loop.run_in_executor(
                self._threads, context.run, running.scored, scorer, models, texts, client
            )
        finally:
            client.leave()
        return row


def _library() -> Any:
    """What imports autoevals; in a thread, since it takes a while for the first time."""
    from runtime.providers.scoring.braintrust import running

    return running


def _scorer(name: str, param: str) -> Scorer:
    if name not in SCORERS:
        raise NotFound(f"There is no scorer `{quoted(name)}` here ({names_for(name, list(SCORERS))})", param=param)
    return SCORERS[name]


def _told(name: str, params: ScoringParams | None) -> BraintrustModels:
    """Which models the params name. Raises RequestError for anything else in them."""
    if params is None:
        return BraintrustModels()
    if isinstance(params, BasicParams):
        return checked_settings(params.options or {}, BraintrustModels, at="params.options")
    if isinstance(params, LLMAsJudgeParams):
        for field in _ONLY_OF_JUDGES:
            if getattr(params, field):
                raise RequestError(f"`{name}` has a prompt of its own, and takes no `{field}`", param="params")
        return BraintrustModels(judge_model=params.judge_model)
    raise RequestError(
        f"`{name}` takes params of the type `basic` or `llm_as_judge`, and is given `{params.type}`", param="params"
    )


def _text(column: str, value: Any) -> str:
    if column == CONTEXT and isinstance(value, list):
        return "\n".join(text_in(column, one) for one in value)
    return text_in(column, value)
