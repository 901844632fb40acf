"""What workers on a cluster are asked, as a provider asks it."""

from __future__ import annotations

import logging
from importlib.util import find_spec

from runtime.apis.models import ModelRequest, Models
from runtime.apis.providers.protocol import ProviderHealth
from runtime.errors import StackError, UpstreamTimeout, UpstreamUnreachable
from runtime.http.refusals import Call
from runtime.http.transport import Outgoing
from runtime.http.vendor_errors import vendor_error
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers._vendors.ray.cluster import Cluster
from runtime.providers._vendors.ray.config import RayConfig
from runtime.sse import raw_members

log = logging.getLogger(__name__)
_MOST_LOSSES = 6
"""How often a request is lost with its worker before it fails: each of them may be of the request's making."""


def on_cluster(config: RayConfig, context: ProviderContext, *, work: str, at_once: int) -> OnCluster:
    """For a provider. work: what the workers are there for, in messages. at_once: how many requests there may be.
    Raises ModuleNotFoundError where Ray is not installed.
    """
    if find_spec("ray") is None:  # it is imported in another process
        raise ModuleNotFoundError("No module named 'ray'", name="ray")
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    if config.api_key is not None and (key := config.api_key.get_secret_value()):
        headers["authorization"] = f"Bearer {key}"
    cluster = Cluster(config, context.provider_id, headers=headers, at_once=at_once)
    call = Call(
        context.provider_id,
        Outgoing(method="POST", url=config.base_url, headers=headers),
        key_hint="set `api_key` in its config",
    )
    return OnCluster(cluster, call, context.api(Models), work=work)  # type: ignore[type-abstract]


class OnCluster:
    """Has the workers ask their server. call: for its errors. models: those that whoever asks may use."""

    def __init__(self, cluster: Cluster, call: Call, models: Models, *, work: str) -> None:
        self.cluster = cluster
        self._call = call
        self._models = models
        self._work = work

    async def begin(self) -> None:
        """Raises NobodyAnswers."""
        await self.cluster.connected()

    async def stop(self) -> None:
        """End the workers."""
        await self.cluster.close()

    async def check_health(self) -> ProviderHealth:
        """The cluster is asked for workers when there is work; before that, whether it can be reached."""
        if (trouble := await self.cluster.trouble()) is not None:
            return unhealthy(trouble)
        count = len(self.cluster.workers)
        return healthy(f"workers: {count}" if count else f"there are no workers until there is {self._work}")

    async def answer(self, path: str, body: bytes, *, model: str | None) -> bytes:
        """The answer of the server to a POST of JSON, also JSON. model: that the request names.

        Raises NotFound for a model that is not there for the current user, UpstreamUnreachable, UpstreamTimeout and
        UpstreamError for what the workers meet, StackError where worker after worker was lost with the request or one
        has a fault, NobodyAnswers.
        """
        if model:
            await self._models.get_model(ModelRequest(model_id=model))
        for _ in range(_MOST_LOSSES):
            answered = await self.cluster.ask(path, body)
            if answered.outcome != "lost":
                break
            log.warning("a worker was lost", extra={"provider_id": self._call.provider_id, "path": path})
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
