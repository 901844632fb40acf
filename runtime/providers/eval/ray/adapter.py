"""Evaluations whose rows are asked by the workers of a Ray cluster; all else of an evaluation is done here."""

from __future__ import annotations

from runtime.apis._request import Request
from runtime.apis.eval.job import Job, RunEvalRequest
from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest
from runtime.apis.providers.protocol import ProviderHealth
from runtime.context import current, warn
from runtime.provider import ProviderContext
from runtime.providers._vendors.ray.asking import OnCluster, on_cluster
from runtime.providers.eval._shared.evaluations import KeptEvaluations
from runtime.providers.eval.ray.config import RayEvalConfig
from runtime.providers.eval.ray.in_replay import no_agents
from runtime.sse import Reply, encode


class RayEval(KeptEvaluations):
    """An evaluation waits while the cluster cannot be used. Agents are not asked there: of what a server keeps, such as
    sessions, all rows would be one user's, whoever evaluates.
    """

    def __init__(self, config: RayEvalConfig, context: ProviderContext) -> None:
        at_once = config.max_concurrent_jobs * config.max_concurrent_rows
        self._workers = on_cluster(config, context, work="an evaluation", at_once=at_once)
        inference = ModelsOnCluster(self._workers)
        super().__init__(config, context, inference=inference, agents=no_agents(), max_wait_s=config.max_wait_s)

    async def run_eval(self, request: RunEvalRequest) -> Job:
        """Raises as `KeptEvaluations` does."""
        job = await super().run_eval(request)
        if current().provider_data:
            warn("what `x-llamastack-provider-data` has stays here: the workers of the cluster are not sent it")
        return job

    async def stop(self) -> None:
        """End the workers."""
        await self._workers.stop()

    async def check_health(self) -> ProviderHealth:
        """That of the cluster."""
        return await self._workers.check_health()


class ModelsOnCluster:
    """Models as the workers reach them. Each method raises as `OnCluster.answer` does."""

    def __init__(self, workers: OnCluster) -> None:
        self._workers = workers

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply:
        return await self._answer("/v1/chat/completions", request, request.model)

    async def completion(self, request: CompletionRequest) -> Reply:
        return await self._answer("/v1/completions", request, request.model)

    async def _answer(self, path: str, request: Request, model: str) -> Reply:
        return Reply(await self._workers.answer(path, encode(request.wire()), model=model))
