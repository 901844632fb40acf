"""The Responses API over any model: what is asked, made and kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from runtime.apis.inference import Inference
from runtime.apis.responses import (
    CreateResponseRequest,
    GetResponseRequest,
    ListResponsesRequest,
    ResponseRequest,
)
from runtime.apis.responses.kept import DeletedResponse, InputItemsRequest
from runtime.apis.vector_stores import VectorStores
from runtime.errors import NotSupported, RequestError, StackError
from runtime.ids import new_position
from runtime.provider import ProviderContext
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.asking import chat_settings, function_tool
from runtime.providers.responses.builtin.config import ResponsesConfig
from runtime.providers.responses.builtin.history import history_of
from runtime.providers.responses.builtin.keeping import Kept, Record
from runtime.providers.responses.builtin.loop import Loop, Plan, Tool
from runtime.providers.responses.builtin.messages import messages_of
from runtime.providers.responses.builtin.sealing import Seal, Seals
from runtime.providers.responses.builtin.shown import new_response
from runtime.providers.responses.builtin.tables import SCHEMA, STORE
from runtime.providers.responses.builtin.tools import file_search
from runtime.providers.responses.builtin.tools.file_search import FileSearch
from runtime.sse import EventStream, Frames, Json, Reply


class BuiltinResponses:
    """Implements `Responses`."""

    def __init__(self, config: ResponsesConfig, context: ProviderContext) -> None:
        self._inference = context.api(Inference)  # type: ignore[type-abstract]
        self._stores = context.optional_api(VectorStores)  # type: ignore[type-abstract]
        self._most_turns = config.most_turns
        store = context.storage.sql(STORE, SCHEMA)
        self._kept = Kept(store)
        self._seals = Seals(store)

    async def create_response(self, request: CreateResponseRequest) -> Reply | EventStream:
        _check(request)
        position = new_position()
        keeps = request.store is not False
        history = await history_of(request, self._kept.mine(), position)
        seals = request.includes("reasoning.encrypted_content")
        seal = await self._seals.load() if seals or any("encrypted_content" in item for item in history.items) else None
        response = new_response(request, position)
        closes = seal.close if seal and seals else None
        answering = Answering(response, position, streams=bool(request.stream), seal=closes)
        loop = Loop(self._plan(request, history.items, seal), self._inference, answering)
        making = _Making(answering, loop, self._kept.record(answering, history) if keeps else None)
        if request.stream:
            return await making.stream()
        return await making.whole()

    def _plan(self, request: CreateResponseRequest, items: list[Json], seal: Seal | None) -> Plan:
        messages = messages_of(items, opened=seal.open if seal else lambda _: None)
        if request.instructions:
            messages.insert(0, {"role": "system", "content": request.instructions})
        if not messages:
            raise RequestError("There is nothing to answer: neither `input` nor anything before it", param="input")
        functions, ours = self._tools(request)
        return Plan(
            settings=chat_settings(request, functions),
            messages=messages,
            tools=ours,
            most_turns=request.max_infer_iters or self._most_turns,
            most_calls=request.max_tool_calls,
        )

    def _tools(self, request: CreateResponseRequest) -> tuple[list[Json], dict[str, Tool]]:
        """What the model is told of its tools, and those of them that are run here, by name. Raises NotSupported."""
        functions: list[Json] = []
        ours: dict[str, Tool] = {}
        for place, tool in enumerate(request.tools or ()):
            given: Json = dict(tool)
            if given["type"] == "function":
                functions.append(function_tool(given))
            elif self._stores is None:
                raise NotSupported(f"`tools[{place}]` is `file_search`, and no vector stores are here", param="tools")
            elif file_search.NAME in ours:
                raise RequestError(
                    f"`tools[{place}]` is a second `file_search`",
                    hint="name all stores in the `vector_store_ids` of one",
                    param="tools",
                )
            else:
                search = FileSearch(given, self._stores, shows_results=request.includes("file_search_call.results"))
                functions.append(search.definition)
                ours[file_search.NAME] = search
        return functions, ours

    async def get_response(self, request: GetResponseRequest) -> Reply:
        return await self._kept.get(request)

    async def list_responses(self, request: ListResponsesRequest) -> Reply:
        return await self._kept.page(request)

    async def list_input_items(self, request: InputItemsRequest) -> Reply:
        return await self._kept.input_items(request)

    async def delete_response(self, request: ResponseRequest) -> DeletedResponse:
        return await self._kept.delete(request)


class _Making:
    """One response being made. record: where it is kept, None for one that is not."""

    def __init__(self, answering: Answering, loop: Loop, record: Record | None) -> None:
        self._answering = answering
        self._loop = loop
        self._record = record
        self._is_kept = record is None

    async def whole(self) -> Reply:
        """The response, once it has ended and is kept. Raises what the model's provider raises before it answers."""
        async for _ in self._loop.run(await self._loop.begin()):
            pass
        await self._keep()
        return Reply.of(self._answering.response)

    async def stream(self) -> EventStream:
        """Its events. It is kept from before the first one, and its end is on disk before the last one is sent."""
        answer = await self._loop.begin()
        try:
            if self._record is not None:
                await self._record.begin()
        except BaseException:
            if isinstance(answer, EventStream):
                await answer.aclose()
            raise

        async def close() -> None:
            if isinstance(answer, EventStream):
                await answer.aclose()
            if not self._answering.has_ended:
                self._answering.break_off("interrupted")
            if not self._is_kept:
                await self._keep()

        return EventStream(self._events(answer), close)

    async def _events(self, answer: Reply | EventStream) -> AsyncGenerator[Frames, None]:
        async for frames in self._loop.run(answer):
            if self._answering.has_ended:
                try:
                    await self._keep()
                except StackError as error:
                    self._is_kept = True  # it cannot be: trying again when the stream is closed would only take time
                    self._answering.fail(error)
                    frames = self._answering.take() or frames
            yield frames

    async def _keep(self) -> None:
        if self._record is not None:
            keeping = asyncio.ensure_future(self._record.end())
            await asyncio.shield(keeping)
        self._is_kept = True


_NOT_YET = ("background", "guardrails", "context_management", "prompt", "conversation")


def _check(request: CreateResponseRequest) -> None:
    """Refuse what cannot be done. Raises NotSupported."""
    for name in _NOT_YET:
        if getattr(request, name):
            raise NotSupported(f"`{name}` is not supported here", param=name)
