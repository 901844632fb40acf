"""A model of this stack that judges answers, by a prompt that says how."""

from runtime.spec import inline, live

SPEC = inline(
    "llm-as-judge",
    summary="A model of this stack judges answers: one by one, or two against each other in both orders",
    adapter=".adapter:LLMAsJudgeScoring",
    config=".config:LLMAsJudgeConfig",
    packages=("regex>=2024.5",),
    needs=("inference", "models"),
    evidence=live("dialogues that a local server has been told to have, and the embedded model as a judge"),
)
