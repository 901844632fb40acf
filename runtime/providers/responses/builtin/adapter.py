"""The Responses API over any model: what is asked, made and kept."""

from __future__ import annotations

from runtime.apis.responses import (
    CreateResponseRequest,
    GetResponseRequest,
    ListResponsesRequest,
    ResponseRequest,
)
from runtime.apis.responses.kept import DeletedResponse, InputItemsRequest
from runtime.ids import new_position
from runtime.provider import ProviderContext
from runtime.providers.responses.builtin.config import ResponsesConfig
from runtime.providers.responses.builtin.keeping import Kept
from runtime.providers.responses.builtin.making import Making
from runtime.providers.responses.builtin.preparing import Preparing
from runtime.providers.responses.builtin.tables import SCHEMA, STORE
from runtime.sse import EventStream, Reply


class BuiltinResponses:
    """Implements `Responses`."""

    def __init__(self, config: ResponsesConfig, context: ProviderContext) -> None:
        store = context.storage.sql(STORE, SCHEMA)
        self._kept = Kept(store)
        self._preparing = Preparing(config, context, store)

    async def create_response(self, request: CreateResponseRequest) -> Reply | EventStream:
        streams = bool(request.stream)
        prepared = await self._preparing.prepare(request, self._kept.mine(), new_position(), streams=streams)
        making = Making(prepared, self._kept.record(prepared) if request.store is not False else None)
        return await making.stream() if streams else await making.whole()

    async def get_response(self, request: GetResponseRequest) -> Reply:
        return await self._kept.get(request)

    async def list_responses(self, request: ListResponsesRequest) -> Reply:
        return await self._kept.page(request)

    async def list_input_items(self, request: InputItemsRequest) -> Reply:
        return await self._kept.input_items(request)

    async def delete_response(self, request: ResponseRequest) -> DeletedResponse:
        return await self._kept.delete(request)
