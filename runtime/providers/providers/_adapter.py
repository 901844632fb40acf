"""Answers with the stack's own information about its providers."""

from __future__ import annotations

from runtime.apis._request import Empty
from runtime.apis.providers.protocol import ProviderInfo, ProviderList, ProviderRequest
from runtime.errors import NotFound
from runtime.provider import ProviderContext
from runtime.similar import did_you_mean, hint_if_off


class BuiltinProviders:
    """Implements `Providers`."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._stack = context.stack

    async def list_providers(self, request: Empty) -> ProviderList:
        return ProviderList(data=await self._stack.provider_infos())

    async def get_provider(self, request: ProviderRequest) -> ProviderInfo:
        """Raises NotFound with similar ids."""
        infos = await self._stack.provider_infos(provider_id=request.provider_id, api=request.api)
        if infos:
            return infos[0]
        of_api = f" of the API {request.api}" if request.api else ""
        raise NotFound(
            f"No provider{of_api} has the id `{request.provider_id}`",
            hint=hint_if_off(request.provider_id, self._stack.turned_on_by(request.api))
            or did_you_mean(request.provider_id, self._stack.provider_ids())
            or "list them with GET /v1/providers",
            code="provider_not_found",
        )
