"""Scoring functions in Python that installed packages bring, by entry points:

    [project.entry-points."llama_stack.scoring_functions"]
    politeness = "acme.scoring:politeness"

is a function `def politeness(row: dict, **options) -> float`, served as `functions::politeness`. It is run in a process
of its own, so that one that hangs or ends its process harms its row alone.
"""

from runtime.spec import inline, live

SPEC = inline(
    "functions",
    summary="Scoring functions in Python that installed packages bring, each in a process of its own",
    adapter=".adapter:FunctionsScoring",
    config=".config:FunctionsConfig",
    evidence=live("functions of generated packages, which score, fail, hang and end their process"),
)
