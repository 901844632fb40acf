"""Batches whose lines are asked by the workers of a Ray cluster; all else of a batch is done here."""

from __future__ import annotations

import logging
from importlib.util import find_spec

from runtime.apis.batches.batch import Batch, CreateBatchRequest
from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import Inference
from runtime.apis.models import ModelRequest, Models
from runtime.apis.providers.protocol import ProviderHealth
from runtime.context import current, warn
from runtime.errors import StackError, UpstreamTimeout, UpstreamUnreachable
from runtime.http.refusals import Call
from runtime.http.transport import Outgoing
from runtime.http.vendor_errors import vendor_error
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers.batches._shared.batches import KeptBatches
from runtime.providers.batches._shared.endpoints import Endpoint, Endpoints
from runtime.providers.batches._shared.input_lines import Line
from runtime.providers.batches.ray.cluster import Cluster
from runtime.providers.batches.ray.config import RayBatchesConfig
from runtime.sse import raw_members

log = logging.getLogger(__name__)
_MOST_LOSSES = 6
"""How often a line is lost with its worker before it fails: each of them may be of the line's making."""


class RayBatches(KeptBatches):
    """A batch waits while the cluster cannot be used.

    What a line asks is only inference: of what a server keeps, such as responses, all lines would be one user's there,
    whoever made their batch.
    """

    def __init__(self, config: RayBatchesConfig, context: ProviderContext) -> None:
        if find_spec("ray") is None:  # it is imported in another process
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if config.api_key is not None and (key := config.api_key.get_secret_value()):
            headers["authorization"] = f"Bearer {key}"
        self._cluster = Cluster(config, context.provider_id, headers=headers)
        call = Call(
            context.provider_id,
            Outgoing(method="POST", url=config.base_url, headers=headers),
            key_hint="set `api_key` in its config",
        )
        answering = AnsweringOnCluster(self._cluster, call, context.api(Models))  # type: ignore[type-abstract]
        served = {INFERENCE: context.api(Inference)}  # type: ignore[type-abstract]
        super().__init__(config, context, endpoints=Endpoints(served), answering=answering)

    async def create_batch(self, request: CreateBatchRequest) -> Batch:
        """Raises as `KeptBatches` does."""
        batch = await super().create_batch(request)
        if current().provider_data:
            warn("what `x-llamastack-provider-data` has stays here: the workers of the cluster are not sent it")
        return batch

    async def stop(self) -> None:
        """End the workers."""
        await self._cluster.close()

    async def check_health(self) -> ProviderHealth:
        """The cluster is asked for workers when there is a batch; before that, whether it can be reached."""
        if (trouble := await self._cluster.trouble()) is not None:
            return unhealthy(trouble)
        count = self._cluster.worker_count
        return healthy(f"workers: {count}" if count else "there are no workers until there is a batch")


class AnsweringOnCluster:
    """call: for the errors of the server that the workers ask. models: those that whoever made a batch may use."""

    def __init__(self, cluster: Cluster, call: Call, models: Models) -> None:
        self._cluster = cluster
        self._call = call
        self._models = models

    async def begin(self) -> None:
        """Raises NobodyAnswers."""
        await self._cluster.connected()

    async def answer(self, endpoint: Endpoint, line: Line) -> bytes:
        """Raises NotFound for a model that is not there for the line's user, UpstreamUnreachable, UpstreamTimeout and
        UpstreamError for what the workers meet, StackError where worker after worker was lost with the line or one has
        a fault, NobodyAnswers.
        """
        if line.model:
            await self._models.get_model(ModelRequest(model_id=line.model))
        for _ in range(_MOST_LOSSES):
            answered = await self._cluster.ask(line.url, line.body)
            if answered.outcome != "lost":
                break
            log.warning("a worker was lost", extra={"provider_id": self._call.provider_id, "number": line.number})
        said = self._call.quoted(answered.body)
        if answered.outcome == "answered":
            return self._whole(answered.status, answered.headers, answered.body)
        provider_id, place = self._call.provider_id, f"{self._call.place}, as a worker reaches it"
        if answered.outcome == "unreachable":
            raise UpstreamUnreachable(f"`{provider_id}` cannot reach {place}: {said}", provider_id=provider_id)
        if answered.outcome == "timeout":
            raise UpstreamTimeout(f"`{provider_id}` got no answer from {place}: {said}", provider_id=provider_id)
        if answered.outcome == "broken":
            raise self._call.failed(f"got no answer from {place}: {said}")
        if answered.outcome == "failed":
            raise StackError(f"A worker of `{provider_id}` has failed: {said}")
        raise StackError(f"{_MOST_LOSSES} workers of `{provider_id}` were lost while they had this request: {said}")

    def _whole(self, status: int, headers: dict[str, str], body: bytes) -> bytes:
        """The answer, which is a JSON object. Raises UpstreamError."""
        if status >= 400:
            raise self._call.status_error(status, vendor_error(body), body=body, headers=headers)
        if status != 200:
            raise self._call.failed(f"answered {status}", upstream_status=status, hint="is `base_url` right?")
        try:
            raw_members(body)
        except ValueError:
            raise self._call.not_json(status, headers, body, wanted="JSON") from None
        return body
