"""Scoring functions that compute: they compare, parse and count, and ask nobody."""

from runtime.spec import inline, live

SPEC = inline(
    "basic",
    summary="Scoring functions that compute: equality, multiple choice, math, DocVQA, IFEval, function calls",
    adapter=".adapter:BasicScoring",
    config=".config:BasicScoringConfig",
    packages=(
        "regex>=2024.11.6",  # a time limit of each search: an expression of a user's may need for ever
        "py3langid>=0.3,<1",  # the language of an answer, for IFEval; with its model 5 MB
    ),
    evidence=live("the functions themselves, compared with what the original implementations publish"),
)
