"""Asks a Llama Guard at SambaNova: `POST /chat/completions`."""

from __future__ import annotations

from runtime.apis._request import Registered
from runtime.apis.inference.sense import making_sense
from runtime.apis.providers.protocol import ProviderHealth
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.errors import NotFound
from runtime.http.auth import Bearer
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, json_request
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers.safety._llama_guard.guard import LlamaGuard
from runtime.providers.safety.sambanova.config import SambaNovaSafetyConfig
from runtime.sse import Json

_PREFIX = "sambanova/"
"""What llama-stack's shields have before the model, which LiteLLM wants."""
_LIST = Timeouts(connect_s=1, read_s=3, total_s=3)


class SambaNovaSafety:
    """The shield's provider id is SambaNova's name of the model. Raises what `LlamaGuard` raises."""

    def __init__(self, config: SambaNovaSafetyConfig, context: ProviderContext) -> None:
        self._keys = context.keys
        self._models = SambaNovaModels(config, context)
        self._guard = LlamaGuard(config, self._models, provider_id=context.provider_id)

    async def assess(self, request: AssessRequest) -> Assessment:
        return await self._guard.assess(request)

    async def check_registration(self, resource: Registered) -> None:
        await self._guard.check_registration(resource)

    async def check_health(self) -> ProviderHealth:
        """Without a configured key it waits for one in each request. Raises UpstreamError."""
        if self._keys.configured() is None:
            return unhealthy(f"no key: {self._keys.how_to_give}", state="needs-key")
        await self._models.names()
        return healthy()


class SambaNovaModels:
    """The host of Llama Guards that is SambaNova."""

    gives_likelihoods = False

    def __init__(self, config: SambaNovaSafetyConfig, context: ProviderContext) -> None:
        self._provider_id = context.provider_id
        self._url = config.base_url.rstrip("/")
        limits = Timeouts(read_s=config.timeout_s, total_s=config.timeout_s)
        self._chats = context.http.with_auth(Bearer(context.keys, required=True), address=self._url, timeouts=limits)
        self._lists = context.http.with_auth(Bearer(context.keys), address=self._url, timeouts=_LIST)

    async def chat(self, body: Json) -> Json:
        asked = {**body, "model": body["model"].removeprefix(_PREFIX)}
        return (
            await self._chats.reply(json_request(f"{self._url}/chat/completions", asked), objects="choices")
        ).value()

    async def name_of(self, model: str) -> str:
        """SambaNova's own name. Raises NotFound for a model that it does not serve, and UpstreamError."""
        name, names = model.removeprefix(_PREFIX), await self.names()
        if name in names:
            return name
        guards = ", ".join(f"`{known}`" for known in names if "guard" in known.lower())
        raise NotFound(
            f"SambaNova does not serve `{name}`",
            hint=f"its Llama Guards: {guards}" if guards else "it serves no Llama Guard at present",
        )

    async def names(self) -> list[str]:
        """The models that are served. Nobody needs a key to ask. Raises UpstreamError."""
        answer = await self._lists.reply(Outgoing(method="GET", url=f"{self._url}/models"), objects="data")
        with making_sense(self._provider_id):
            return [str(model["id"]) for model in answer.value()["data"]]
