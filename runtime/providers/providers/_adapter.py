"""Answers from what the stack knows of its providers."""

from __future__ import annotations

from runtime.apis._api import Empty
from runtime.apis.providers import ProviderInfo, ProviderList, ProviderRequest
from runtime.errors import NotFound, nearest
from runtime.provider import ProviderContext


class BuiltinProviders:
    """Implements `Providers`."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._stack = context.stack

    async def list_providers(self, request: Empty) -> ProviderList:
        return ProviderList(data=await self._stack.provider_infos())

    async def get_provider(self, request: ProviderRequest) -> ProviderInfo:
        infos = await self._stack.provider_infos()
        for info in infos:
            if info.provider_id == request.provider_id:
                return info
        close = nearest(request.provider_id, [info.provider_id for info in infos])
        raise NotFound(
            f"No provider has the id `{request.provider_id}`",
            hint=f"did you mean {' or '.join(f'`{match}`' for match in close)}?"
            if close
            else "list them with GET /v1/providers",
            code="provider_not_found",
        )
