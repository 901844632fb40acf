"""What is asked of a judge: a function with what a caller has told it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.apis.scoring.functions import GENERATED
from runtime.apis.scoring.params import LLMAsJudgeParams, ScoringParams
from runtime.errors import RequestError
from runtime.providers.scoring._regexes import Regexes
from runtime.providers.scoring.llm_as_judge.functions import BASE, FUNCTIONS, OTHER, PAIRWISE, Function
from runtime.providers.scoring.llm_as_judge.scales import Scale
from runtime.providers.scoring.llm_as_judge.templates import Template

REGEX_TIMEOUT_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """judge: the model. regexes: where the score is in what it says; None where it answers in JSON."""

    judge: str
    function: Function
    template: Template
    scale: Scale
    regexes: Regexes | None

    def body(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """The chat that asks it of one row. texts: those of its columns."""
        prompt = self.template.filled(texts, names=self.function.names)
        parts = [prompt.text, prompt.rule, *([] if self.regexes else [self.scale.words])]
        body = {"model": self.judge, "messages": [{"role": "user", "content": "\n\n".join(parts)}]}
        return body if self.regexes else {**body, "response_format": self.scale.response_format}


def function_named(name: str) -> Function:
    """A function that a user has registered under a name of its own is `base`, with a prompt of its own."""
    return FUNCTIONS.get(name, FUNCTIONS[BASE])


def question(name: str, params: ScoringParams | None) -> Question:
    """name: of the function. Raises RequestError for params that it cannot have, or lacks."""
    function = function_named(name)
    if params is None:
        raise RequestError(
            f"`{name}` is not told which model judges",
            hint='give it params: {"type": "llm_as_judge", "judge_model": "MODEL"}',
            param="params",
        )
    if not isinstance(params, LLMAsJudgeParams):
        raise RequestError(
            f"`{name}` takes params of the type `llm_as_judge`, and is given `{params.type}`", param="params"
        )
    return Question(
        judge=params.judge_model,
        function=function,
        template=_template(name, function, params),
        scale=Scale(choices=function.choices, between=_range(name, function, params.score_range)),
        regexes=_regexes(params),
    )


def _regexes(params: LLMAsJudgeParams) -> Regexes | None:
    given = params.judge_score_regexes
    return Regexes(given, timeout_s=REGEX_TIMEOUT_S, at="params.judge_score_regexes") if given else None


def _template(name: str, function: Function, params: LLMAsJudgeParams) -> Template:
    prompt = params.prompt_template if params.prompt_template is not None else function.prompt
    if prompt is None:
        raise RequestError(f"`{name}` needs a `prompt_template`, which says what is judged and how", param="params")
    template = Template(prompt)
    needed = (GENERATED, OTHER) if function.name == PAIRWISE else ()
    if not template.columns or (missing := [column for column in needed if column not in template.columns]):
        places = " and ".join(f"`{{{column}}}`" for column in (missing if template.columns else needed)) or "a column"
        raise RequestError(
            f"The `prompt_template` of `{name}` has no place for {places}",
            hint="write the name of a column in braces, such as `{generated_answer}`",
            param="params",
        )
    return template


def _range(name: str, function: Function, given: list[float] | None) -> tuple[float, float] | None:
    if given is None:
        return None
    if function.choices:
        raise RequestError(f"`{name}` gives no number, so that it has no `score_range`", param="params")
    low, high = min(given), max(given)
    if low == high:
        raise RequestError(f"The `score_range` of `{name}` has only one score, {low:g}", param="params")
    return low, high
