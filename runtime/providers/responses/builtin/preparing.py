"""From a request to what makes its response: its history, what the model is asked, the tools that are run here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.apis.connectors.protocol import Connectors
from runtime.apis.containers.protocol import Containers
from runtime.apis.file_processors.protocol import FileProcessors
from runtime.apis.files.protocol import Files
from runtime.apis.inference.protocol import ChatCompletionRequest, Inference
from runtime.apis.prompts.protocol import Prompts
from runtime.apis.responses.protocol import CreateResponseRequest
from runtime.apis.responses.request import SEALED_THOUGHTS, PromptReference, ResponseHistory
from runtime.apis.tool_runtime.protocol import ToolRuntime
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.errors import RequestError
from runtime.http.pages import Pages
from runtime.ids import new_position
from runtime.provider import ProviderContext
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.approving import approved_now
from runtime.providers.responses.builtin.asking import chat_request, chat_settings
from runtime.providers.responses.builtin.budget import Budget
from runtime.providers.responses.builtin.compacting import Compacting
from runtime.providers.responses.builtin.config import ResponsesConfig
from runtime.providers.responses.builtin.continuing import Continuing
from runtime.providers.responses.builtin.history import History, Recalled, history_of
from runtime.providers.responses.builtin.inputs import Inputs, has_files
from runtime.providers.responses.builtin.loop import Loop, Plan
from runtime.providers.responses.builtin.messages import check_answered, messages_of
from runtime.providers.responses.builtin.offering import Apis, Asked
from runtime.providers.responses.builtin.prompting import prompt_item
from runtime.providers.responses.builtin.readings import Readings, known_readings
from runtime.providers.responses.builtin.sealing import Seal, Seals
from runtime.providers.responses.builtin.toolbox import NO_TOOLS, Toolbox, toolbox_of
from runtime.sse import Json
from runtime.storage.sql import SqlStore
from runtime.telemetry.changes import note_change


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A response that can be made. history: what it is made from. continuing: for its conversation."""

    answering: Answering
    loop: Loop
    history: History
    continuing: Continuing

    async def join(self) -> None:
        """Add the response, which has ended, to its conversation, if it has one. If that cannot be, it has failed."""
        if self.history.conversation is not None:
            await self.continuing.join(self.history.conversation, self.history.own, self.answering)


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a model is to read. items: the prompt and those of the history, with the contents of files. opened: see
    `messages_of`.
    """

    history: History
    items: list[Json]
    opened: Callable[[str], str | None]


class Preparing:
    """store: of what is kept of responses."""

    def __init__(
        self, config: ResponsesConfig, context: ProviderContext, store: SqlStore, continuing: Continuing
    ) -> None:
        self._continuing = continuing
        self.inference = context.api(Inference)  # type: ignore[type-abstract]
        self._apis = Apis(
            inference=self.inference,
            vector_stores=context.optional_api(VectorStores),  # type: ignore[type-abstract]
            tool_runtime=context.optional_api(ToolRuntime),  # type: ignore[type-abstract]
            connectors=context.optional_api(Connectors),  # type: ignore[type-abstract]
            containers=context.optional_api(Containers),  # type: ignore[type-abstract]
        )
        self._prompts = context.optional_api(Prompts)  # type: ignore[type-abstract]
        files = context.optional_api(Files)  # type: ignore[type-abstract]
        processors = context.optional_api(FileProcessors)  # type: ignore[type-abstract]
        pages = Pages(
            context.http,
            allow_private=config.read_private_addresses,
            allowed_by="`read_private_addresses` in the config of `responses`",
        )
        self._inputs = Inputs(files, processors, pages)
        self._most_turns = config.most_turns
        self._seals = Seals(store)

    async def prepare(
        self,
        request: CreateResponseRequest,
        rows: SqlStore,
        answering: Answering,
        *,
        recalled: Recalled | None = None,
    ) -> Prepared:
        """rows: the responses that the caller sees. answering: the new one, before its beginning. recalled: may be the
        one that it continues.

        Raises NotFound, RequestError and NotSupported for what is wrong with the request, Unavailable.
        """
        position, response_id = answering.position, answering.response["id"]
        read = await self.read(request, rows, position, recalled, prompt=request.prompt, response_id=response_id)
        if request.includes(SEALED_THOUGHTS):
            answering.seal = (await self._seals.load()).close
        plan = await self._plan(request, read)
        check_answered(plan.messages)
        loop = Loop(plan, self.inference, answering)
        return Prepared(answering=answering, loop=loop, history=read.history, continuing=self._continuing)

    async def asked(self, request: CreateResponseRequest, rows: SqlStore) -> ChatCompletionRequest:
        """What the model would be asked at first, if nothing were compacted. Raises what `prepare` does."""
        plan = await self._plan(request, await self.read(request, rows, new_position(), prompt=request.prompt))
        return chat_request(plan.settings, [*plan.messages], stream=False)

    async def read(
        self,
        request: ResponseHistory,
        rows: SqlStore,
        position: int,
        recalled: Recalled | None = None,
        *,
        prompt: PromptReference | None = None,
        response_id: str | None = None,
    ) -> Read:
        """See `history_of`, `known_readings`, `prompt_item` and `Inputs.readable`. response_id: the new one's,
        which may be kept already.
        """
        budget = Budget()
        history = await history_of(request, rows, position, self._continuing, budget, recalled)
        items = history.items
        is_sealed = any("encrypted_content" in item for item in items)
        opened = (await self._seals.load()).open if is_sealed else lambda _: None
        with_files = [str(item["id"]) for item in items if has_files(item)]
        if with_files:
            responses, conversation = {*history.ancestors, response_id}, history.conversation
            known = await known_readings(with_files, rows, budget, responses=responses, conversation=conversation)
            history.readings = Readings(known, recalled.readings if recalled is not None else None)
        if prompt is not None:
            items = [await prompt_item(prompt, self._prompts, is_alone=not items), *items]
            note_change("the prompt that is named was put in front")
        if with_files or prompt is not None:
            items = await self._inputs.readable(items, history.readings, budget)
        return Read(history=history, items=items, opened=opened)

    async def seal(self) -> Seal:
        """Raises Unavailable."""
        return await self._seals.load()

    async def _plan(self, request: CreateResponseRequest, read: Read) -> Plan:
        approved = approved_now(read.items, read.history.own)
        tools = NO_TOOLS
        if request.tools or approved:
            tools = await toolbox_of(Asked(request=request, items=read.items, approved=approved, apis=self._apis))
            if tools.ours:
                named = ", ".join(f"`{name}`" for name in tools.ours)
                note_change(f"tools that run here were told to the model as functions: {named}")
        messages = _messages(request, read.items, read.opened, tools.name_of)
        if not messages and not tools.allowed:
            raise RequestError("There is nothing to answer: neither `input` nor anything before it", param="input")
        return Plan(
            settings=chat_settings(request, tools),
            messages=messages,
            tools=tools.ours,
            custom=tools.custom,
            openings=tools.openings,
            allowed=tools.allowed,
            most_turns=request.max_infer_iters or self._most_turns,
            most_calls=request.max_tool_calls,
            at_once=request.parallel_tool_calls is not False,
            truncates=request.truncation == "auto",
            compacting=await self._compacting(request, read, tools),
        )

    async def _compacting(self, request: CreateResponseRequest, read: Read, tools: Toolbox) -> Compacting | None:
        if not request.context_management:
            return None
        [management] = request.context_management
        seal = await self._seals.load()
        return Compacting(
            threshold=management["compact_threshold"],
            inference=self.inference,
            seal=seal,
            messages=lambda item: _messages(request, [*read.items, item], seal.open, tools.name_of),
        )


def _messages(
    request: CreateResponseRequest,
    items: list[Json],
    opened: Callable[[str], str | None],
    name_of: Callable[[str, str], str],
) -> list[Json]:
    messages = messages_of(items, opened=opened, name_of=name_of)
    return [{"role": "system", "content": request.instructions}, *messages] if request.instructions else messages
