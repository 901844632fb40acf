"""The functions: what each asks its judge, in our own words.

`405b-simpleqa` grades by the rubric of SimpleQA: Wei et al. 2024, "Measuring short-form factuality in large language
models", section 2 (https://arxiv.org/abs/2411.04368). llama-stack has it under this name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runtime.apis.scoring.functions import EXPECTED, GENERATED, INPUT, ListedFunction
from runtime.apis.scoring.params import LLMAsJudgeParams

BASE, SIMPLEQA, PAIRWISE = "base", "405b-simpleqa", "pairwise"
OTHER = "other_answer"
"""The column with the answer that the generated one is compared with."""
FIRST, SECOND, TIE = "first", "second", "tie"


@dataclass(frozen=True, kw_only=True)
class Function:
    """prompt: None where the caller has to say it. choices: see `Scale`. names: what marks call a column, where its own
    name would tell too much.
    """

    name: str
    description: str
    prompt: str | None = None
    choices: tuple[str, ...] = ()
    columns: Sequence[str] = ()
    returns: str = "number"
    names: Mapping[str, str] = field(default_factory=dict)

    def listed(self, judge_model: str | None) -> ListedFunction:
        """judge_model: who judges, None where the provider has nobody."""
        return ListedFunction(
            name=self.name,
            description=self.description,
            params=LLMAsJudgeParams(judge_model=judge_model) if judge_model and self.prompt else None,
            returns=self.returns,
            columns=self.columns,
        )


_SIMPLEQA_PROMPT = """\
Grade an answer to a question whose right answer is known.

The question:
{input_query}

The right answer:
{expected_answer}

The answer to grade:
{generated_answer}

The grades:
- `correct`: it has all that matters of the right answer, and nothing in it contradicts that. Doubts, guesses and other
  wording do no harm as long as this holds.
- `incorrect`: something in it contradicts the right answer, also where it is said with doubts or beside the right one.
- `not_attempted`: what matters of the right answer is missing, and nothing contradicts it.

What to look at:
- Meaning counts, not wording: neither capitals, punctuation, grammar nor the order of words, and not the language.
- What the question itself says already need not be repeated, nor what it does not ask for.
- A number is right if it agrees with the right answer to the last digit that this one gives.
- A name that is misspelt but surely means the same is right.
- Grade what is said. Do not answer the question yourself, and do not correct the right answer."""

_PAIRWISE_PROMPT = """\
Two answers to the same question are to be compared.

The question:
{input_query}

The first answer:
{generated_answer}

The second answer:
{other_answer}

Which of them helps whoever has asked more? Look at whether it is right, at whether it answers what was asked, and at
how clear it is. Neither its length nor its place counts, nor how sure of itself it sounds. Say `first` or `second`, or
`tie` if neither is better."""

FUNCTIONS: Mapping[str, Function] = {
    one.name: one
    for one in (
        Function(
            name=BASE,
            description="A score by a prompt of yours: `prompt_template` says what is judged, `score_range` the worst"
            " and the best score",
        ),
        Function(
            name=SIMPLEQA,
            description="`correct`, `incorrect` or `not_attempted`, by the rubric of SimpleQA",
            prompt=_SIMPLEQA_PROMPT,
            choices=("correct", "incorrect", "not_attempted"),
            columns=(INPUT, GENERATED, EXPECTED),
            returns="string",
        ),
        Function(
            name=PAIRWISE,
            description="1 where the generated answer is better than `other_answer`, 0 where it is worse, 0.5 for a"
            " tie; asked in both orders, and a verdict that changes with the order is a tie",
            prompt=_PAIRWISE_PROMPT,
            choices=(FIRST, SECOND, TIE),
            columns=(INPUT, GENERATED, OTHER),
            names={GENERATED: "first_answer", OTHER: "second_answer"},
        ),
    )
}
