"""Asks a chat model of this stack: the shield's provider id is the model's id."""

from __future__ import annotations

from runtime.apis._request import Registered
from runtime.apis.inference.protocol import ChatCompletionRequest, Inference
from runtime.apis.models import ModelRequest, Models
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.provider import ProviderContext
from runtime.providers.safety._llama_guard.guard import LlamaGuard
from runtime.providers.safety._llama_guard.settings import GuardSettings
from runtime.sse import Json, Reply


class LlamaGuardSafety:
    """Raises what `LlamaGuard` raises, and what inference does."""

    def __init__(self, config: GuardSettings, context: ProviderContext) -> None:
        self._guard = LlamaGuard(config, ModelsOfStack(context), provider_id=context.provider_id)

    async def assess(self, request: AssessRequest) -> Assessment:
        return await self._guard.assess(request)

    async def check_registration(self, resource: Registered) -> None:
        await self._guard.check_registration(resource)


class ModelsOfStack:
    """The host of Llama Guards that is this stack."""

    gives_likelihoods = True

    def __init__(self, context: ProviderContext) -> None:
        self._inference = context.api(Inference)  # type: ignore[type-abstract]
        self._models = context.api(Models)  # type: ignore[type-abstract]

    async def chat(self, body: Json) -> Json:
        request = ChatCompletionRequest.model_validate({**body, "store": False})
        answer = await self._inference.chat_completion(request)
        assert isinstance(answer, Reply)
        return answer.value()

    async def name_of(self, model: str) -> str:
        return (await self._models.get_model(ModelRequest(model_id=model))).provider_resource_id
