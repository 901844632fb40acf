"""The Responses API over any model: what is asked, made and kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runtime.apis.conversations.protocol import Conversations
from runtime.apis.responses.compaction import CompactRequest
from runtime.apis.responses.input_tokens import CountInputTokensRequest, InputTokens
from runtime.apis.responses.kept import DeletedResponse, InputItemsRequest
from runtime.apis.responses.protocol import (
    CreateResponseRequest,
    GetResponseRequest,
    ListResponsesRequest,
    ResponseRequest,
)
from runtime.apis.responses.socket import SocketRequest
from runtime.context import warn
from runtime.ids import new_position
from runtime.provider import ProviderContext
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.background import Background
from runtime.providers.responses.builtin.compact import compact
from runtime.providers.responses.builtin.config import ResponsesConfig
from runtime.providers.responses.builtin.continuing import Continuing
from runtime.providers.responses.builtin.conversing import Conversing
from runtime.providers.responses.builtin.counting import count
from runtime.providers.responses.builtin.keeping import Kept
from runtime.providers.responses.builtin.making import Making
from runtime.providers.responses.builtin.preparing import Preparing
from runtime.providers.responses.builtin.shown import new_response
from runtime.providers.responses.builtin.tables import RESPONSES, SCHEMA, STORE
from runtime.sse import EventStream, Frames, Reply
from runtime.storage.sql.holding import Holding


class BuiltinResponses:
    """Implements `Responses`."""

    def __init__(self, config: ResponsesConfig, context: ProviderContext) -> None:
        store = context.storage.sql(STORE, SCHEMA)
        continuing = Continuing(context.optional_api(Conversations))  # type: ignore[type-abstract]
        holding = Holding(store, RESPONSES, context.tasks.spawn)
        self._kept = Kept(store, holding, continuing)
        self._preparing = Preparing(config, context, store, continuing)
        self._background = Background(
            context,
            store,
            kept=self._kept,
            preparing=self._preparing,
            holding=holding,
            most=config.background_workers,
        )

    async def create_response(self, request: CreateResponseRequest) -> Reply | EventStream:
        streams, position = bool(request.stream), new_position()
        if request.background:
            response = await self._background.create(request, position)
            return self._background.follow(response["id"]) if streams else Reply.of(response)
        answering = Answering(new_response(request, position), position, streams=streams)
        prepared = await self._preparing.prepare(request, self._kept.mine(), answering)
        making = Making(prepared, self._kept.record(prepared) if request.store is not False else None)
        return await making.stream() if streams else await making.whole()

    def converse(self, requests: AsyncIterator[SocketRequest]) -> AsyncIterator[Frames]:
        return Conversing(self._preparing, self._kept).answer(requests)

    async def count_input_tokens(self, request: CountInputTokensRequest) -> InputTokens:
        asked = await self._preparing.asked(request, self._kept.mine())
        counted = await count(asked, self._preparing.inference)
        if not counted.is_exact:
            warn(f"the provider of `{request.model}` does not count tokens: this is an estimate with cl100k_base")
        return InputTokens(input_tokens=counted.tokens)

    async def compact_response(self, request: CompactRequest) -> Reply:
        return await compact(request, self._preparing, self._kept)

    async def cancel_response(self, request: ResponseRequest) -> Reply:
        return await self._background.cancel(request.response_id)

    async def get_response(self, request: GetResponseRequest) -> Reply | EventStream:
        if request.stream:
            return await self._background.followed(request)
        return await self._kept.get(request)

    async def list_responses(self, request: ListResponsesRequest) -> Reply:
        return await self._kept.page(request)

    async def list_input_items(self, request: InputItemsRequest) -> Reply:
        return await self._kept.input_items(request)

    async def delete_response(self, request: ResponseRequest) -> DeletedResponse:
        if (await self._kept.read(request.response_id))["background"]:
            await self._background.forget(request.response_id)
        return await self._kept.delete(request)
