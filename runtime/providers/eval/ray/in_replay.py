"""The same without a cluster, for replays: the rows are asked of this stack, whose models answer what was recorded."""

from __future__ import annotations

from runtime.apis.inference.protocol import Inference
from runtime.provider import ProviderContext
from runtime.providers.eval._shared.candidates import MadeAgents
from runtime.providers.eval._shared.config import EvalConfig
from runtime.providers.eval._shared.evaluations import KeptEvaluations


class EvalHere(KeptEvaluations):
    def __init__(self, config: EvalConfig, context: ProviderContext) -> None:
        inference = context.api(Inference)  # type: ignore[type-abstract]
        super().__init__(config, context, inference=inference, agents=no_agents())


def no_agents() -> MadeAgents:
    return MadeAgents(
        None,
        why="cannot be asked by the workers of a cluster",
        hint="evaluate it with `inline::builtin`, or evaluate a model",
    )
