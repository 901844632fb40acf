"""Scores rows by what a judge says of them. Where it gives no score, a row has an error with what it said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from runtime.apis._request import Registered
from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import GENERATED, ListedFunction, check_columns
from runtime.apis.scoring.params import LLMAsJudgeParams, ScoringParams
from runtime.apis.scoring.protocol import SCORE, ScoredRows, ScoreRowsRequest
from runtime.concurrently import concurrently
from runtime.provider import ProviderContext
from runtime.providers.scoring._asking import Asking, text_in
from runtime.providers.scoring._not_scored import FEEDBACK, NotScored
from runtime.providers.scoring._regexes import TooSlow
from runtime.providers.scoring.llm_as_judge.config import LLMAsJudgeConfig
from runtime.providers.scoring.llm_as_judge.functions import FIRST, FUNCTIONS, OTHER, PAIRWISE, TIE
from runtime.providers.scoring.llm_as_judge.questions import Question, function_named, question
from runtime.providers.scoring.llm_as_judge.scales import Score

_PARAMS: TypeAdapter[ScoringParams] = TypeAdapter(ScoringParams)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """feedback: the judge's reasons, or all that it said where it was asked for no JSON."""

    score: Score
    feedback: str


class LLMAsJudgeScoring:
    """Functions that ask a model."""

    def __init__(self, config: LLMAsJudgeConfig, context: ProviderContext) -> None:
        self._config = config
        self._asking = Asking(context, at_once=config.at_once, max_tokens=config.max_tokens)

    async def list_scoring_functions(self) -> list[ListedFunction]:
        return [function.listed(self._config.judge_model) for function in FUNCTIONS.values()]

    async def check_registration(self, resource: Registered) -> None:
        """Raises RequestError for params that it could never have. What they lack, a request may still say."""
        name, given = resource.provider_resource_id, resource.facts.get("params")
        if not given:
            return
        params = _PARAMS.validate_python(given)
        is_whole = not isinstance(params, LLMAsJudgeParams) or params.prompt_template is not None
        if is_whole or function_named(name).prompt is not None:
            await asyncio.to_thread(question, name, params)

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        """Raises RequestError for params that the function cannot have, rows without a column that its prompt names,
        and a model that cannot be a judge.
        """
        asked = await asyncio.to_thread(question, request.scoring_fn_id, request.params)  # expressions are compiled
        for number, row in enumerate(request.rows, start=1):
            check_columns(row, number, asked.template.columns)

        async def scored(row: Row) -> Row:
            try:
                return await self._scored(asked, {name: text_in(name, row[name]) for name in asked.template.columns})
            except NotScored as error:
                return error.result()

        found = await concurrently(scored, request.rows, at_once=self._config.at_once)
        return ScoredRows(rows=found, columns=[*asked.template.columns])

    async def _scored(self, asked: Question, texts: Mapping[str, str]) -> Row:
        """Raises NotScored."""
        if asked.function.name == PAIRWISE:
            return await self._compared(asked, texts)
        verdict = await self._verdict(asked, texts)
        return {SCORE: verdict.score, FEEDBACK: verdict.feedback}

    async def _compared(self, asked: Question, texts: Mapping[str, str]) -> Row:
        """Which answer is better, asked in both orders: judges prefer a place. Zheng et al. 2023, "Judging
        LLM-as-a-judge with MT-Bench and Chatbot Arena", section 3.4.
        """
        turned = {**texts, GENERATED: texts[OTHER], OTHER: texts[GENERATED]}
        verdicts = await concurrently(lambda one: self._verdict(asked, one), (texts, turned), at_once=2)
        wins = [_win(verdict.score, first) for verdict, first in zip(verdicts, (GENERATED, OTHER), strict=True)]
        orders = [
            {"first": first, "verdict": verdict.score, FEEDBACK: verdict.feedback}
            for verdict, first in zip(verdicts, (GENERATED, OTHER), strict=True)
        ]
        changes = wins[0] != wins[1]
        return {SCORE: 0.5 if changes else wins[0], "changes_with_order": changes, "orders": orders}

    async def _verdict(self, asked: Question, texts: Mapping[str, str]) -> Verdict:
        """Raises NotScored, RequestError for a model that cannot be a judge."""
        body = asked.body(texts)
        if self._config.temperature is not None:
            body["temperature"] = self._config.temperature
        said = (await self._asking.chat(body, param="judge_model")).text
        if asked.regexes is None:
            score, reasons = asked.scale.read(said)
            return Verdict(score=score, feedback=reasons)
        try:
            found = await asyncio.to_thread(asked.regexes.find_in, said)
        except TooSlow as error:
            raise NotScored(str(error), said=said) from None
        if not found:
            raise NotScored("None of `judge_score_regexes` is found in the judge's answer", said=said)
        return Verdict(score=asked.scale.read_group(found, said), feedback=said)


def _win(verdict: Score, first: str) -> float:
    """1.0 where the generated answer is better. first: the column that stood in the first place."""
    if verdict == TIE:
        return 0.5
    return float((verdict == FIRST) == (first == GENERATED))
