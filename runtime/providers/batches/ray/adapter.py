"""Batches whose lines are asked by the workers of a Ray cluster; all else of a batch is done here."""

from __future__ import annotations

from runtime.apis.batches.batch import Batch, CreateBatchRequest
from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import Inference
from runtime.apis.providers.protocol import ProviderHealth
from runtime.context import current, warn
from runtime.provider import ProviderContext
from runtime.providers._vendors.ray.asking import OnCluster, on_cluster
from runtime.providers.batches._shared.batches import KeptBatches
from runtime.providers.batches._shared.endpoints import Endpoint, Endpoints
from runtime.providers.batches._shared.input_lines import Line
from runtime.providers.batches.ray.config import RayBatchesConfig


class RayBatches(KeptBatches):
    """A batch waits while the cluster cannot be used, and says so.

    What a line asks is only inference: of what a server keeps, such as responses, all lines would be one user's there,
    whoever made their batch.
    """

    def __init__(self, config: RayBatchesConfig, context: ProviderContext) -> None:
        at_once = config.max_concurrent_batches * config.max_concurrent_requests_per_batch
        self._workers = on_cluster(config, context, work="a batch", at_once=at_once)
        served = {INFERENCE: context.api(Inference)}  # type: ignore[type-abstract]
        answering = AnsweringOnCluster(self._workers)
        super().__init__(
            config, context, endpoints=Endpoints(served), answering=answering, max_wait_s=config.max_wait_s
        )

    async def create_batch(self, request: CreateBatchRequest) -> Batch:
        """Raises as `KeptBatches` does."""
        batch = await super().create_batch(request)
        if current().provider_data:
            warn("what `x-llamastack-provider-data` has stays here: the workers of the cluster are not sent it")
        return batch

    async def stop(self) -> None:
        """End the workers."""
        await self._workers.stop()

    async def check_health(self) -> ProviderHealth:
        """That of the cluster."""
        return await self._workers.check_health()


class AnsweringOnCluster:
    """Answers the lines of any batch."""

    def __init__(self, workers: OnCluster) -> None:
        self._workers = workers

    async def begin(self) -> None:
        """Raises NobodyAnswers."""
        await self._workers.begin()

    async def answer(self, endpoint: Endpoint, line: Line) -> bytes:
        """Raises as `OnCluster.answer` does."""
        return await self._workers.answer(line.url, line.body, model=line.model)
