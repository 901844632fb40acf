"""Evaluations whose rows this stack asks."""

from __future__ import annotations

from runtime.apis.agents.protocol import Agents
from runtime.apis.inference.protocol import Inference
from runtime.apis.tool_groups.protocol import ToolGroups
from runtime.provider import ProviderContext
from runtime.providers.eval._shared.candidates import MadeAgents
from runtime.providers.eval._shared.config import EvalConfig
from runtime.providers.eval._shared.evaluations import KeptEvaluations


class BuiltinEval(KeptEvaluations):
    """By its routed models and agents."""

    def __init__(self, config: EvalConfig, context: ProviderContext) -> None:
        inference = context.api(Inference)  # type: ignore[type-abstract]
        agents = MadeAgents(
            context.optional_api(Agents),  # type: ignore[type-abstract]
            context.optional_api(ToolGroups),  # type: ignore[type-abstract]
        )
        super().__init__(config, context, inference=inference, agents=agents)
