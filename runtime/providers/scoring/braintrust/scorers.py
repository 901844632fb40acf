"""Which scorers of autoevals there are, what each reads of a row, and which models it asks.

The names are llama-stack's; the classes are described at https://www.braintrust.dev/docs/reference/autoevals
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.apis.scoring.functions import EXPECTED, GENERATED, INPUT, ListedFunction
from runtime.apis.scoring.params import BasicParams

CONTEXT = "context"
"""The column with what was found for the question: a text, or a list of texts."""


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """class_name: in autoevals. judges, embeds: whether it asks a judge, a model of embeddings."""

    name: str
    class_name: str
    description: str
    columns: tuple[str, ...]
    judges: bool = True
    embeds: bool = False

    @property
    def listed(self) -> ListedFunction:
        return ListedFunction(
            name=self.name,
            description=self.description,
            params=BasicParams(aggregation_functions=["average"]),
            columns=self.columns,
        )


SCORERS: Mapping[str, Scorer] = {
    one.name: one
    for one in (
        Scorer(
            name="factuality",
            class_name="Factuality",
            description="Whether the answer agrees with the expected one in its facts: 1 where it does, 0.6 where it"
            " says more, 0.4 where it says less, 0 where they contradict each other",
            columns=(INPUT, GENERATED, EXPECTED),
        ),
        Scorer(
            name="answer-correctness",
            class_name="AnswerCorrectness",
            description="How many statements the answer and the expected one share (F1, three quarters of the score),"
            " and how alike they are",
            columns=(INPUT, GENERATED, EXPECTED),
            embeds=True,
        ),
        Scorer(
            name="answer-relevancy",
            class_name="AnswerRelevancy",
            description="How like the question those are that a judge makes of the answer; 0 for an evasive one",
            columns=(INPUT, GENERATED, CONTEXT),
            embeds=True,
        ),
        Scorer(
            name="answer-similarity",
            class_name="AnswerSimilarity",
            description="How alike the answer and the expected one are by their embeddings: 0 for a cosine of 0.7 or"
            " less, 1 for the same",
            columns=(GENERATED, EXPECTED),
            judges=False,
            embeds=True,
        ),
        Scorer(
            name="context-entity-recall",
            class_name="ContextEntityRecall",
            description="How far the entities of the expected answer are in the context",
            columns=(EXPECTED, CONTEXT),
            embeds=True,
        ),
        Scorer(
            name="context-precision",
            class_name="ContextPrecision",
            description="1 where the context is of use for the expected answer, 0 elsewhere",
            columns=(INPUT, EXPECTED, CONTEXT),
        ),
        Scorer(
            name="context-recall",
            class_name="ContextRecall",
            description="Which share of the expected answer's sentences comes from the context",
            columns=(INPUT, EXPECTED, CONTEXT),
        ),
        Scorer(
            name="context-relevancy",
            class_name="ContextRelevancy",
            description="Which share of the context the question needs",
            columns=(INPUT, CONTEXT),
        ),
        Scorer(
            name="faithfulness",
            class_name="Faithfulness",
            description="Which share of the answer's statements the context bears out",
            columns=(INPUT, GENERATED, CONTEXT),
        ),
    )
}
