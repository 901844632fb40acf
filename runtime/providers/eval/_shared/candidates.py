"""Who is asked: a model, or an agent with a session for each row. What comes is a generation: its `generated_answer`,
or null and the `error` that says why there is none. The answer is a text, or calls of functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Protocol

from runtime.access import Caller
from runtime.apis._earlier.content import ImageItem, items_of
from runtime.apis.agents.agent import AgentConfig, CreateAgentRequest
from runtime.apis.agents.naming import AgentRequest, SessionRequest
from runtime.apis.agents.protocol import Agents
from runtime.apis.agents.session import CreateSessionRequest
from runtime.apis.agents.turn import CreateTurnRequest
from runtime.apis.datasets.protocol import Row
from runtime.apis.eval.candidates import AgentCandidate, ModelCandidate
from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest
from runtime.apis.inference.sense import making_sense, text_of
from runtime.apis.scoring.functions import GENERATED
from runtime.apis.scoring.protocol import ERROR
from runtime.apis.tool_groups.protocol import ToolGroupRequest, ToolGroups
from runtime.context import RequestContext
from runtime.errors import NotFound, NotSupported, RequestError, StackError
from runtime.parsing.requests import validated
from runtime.providers._background.asking import NobodyAnswers, foreseen, patiently
from runtime.providers._background.pacing import Pace
from runtime.providers._earlier.settings import sampling
from runtime.providers.eval._shared.functions import called
from runtime.providers.eval._shared.questions import Question, question_of
from runtime.sse import Json, Reply
from runtime.to_the_end import to_the_end

_READER = "eval"
_FOUND = "knowledge_search"
"""The tool whose findings are the column `context`, as llama-stack has it."""


class AsksModels(Protocol):
    """What evaluations need of inference, whoever does the asking: nothing that is streamed."""

    async def chat_completion(self, request: ChatCompletionRequest) -> Any: ...

    async def completion(self, request: CompletionRequest) -> Any: ...


class Candidate(Protocol):
    async def answer(self, question: Question) -> Json:
        """A generation. Raises StackError."""
        ...


class Asker:
    """Asks a candidate for one user. pace: of the provider that it asks. provider_data: what the user sent for it."""

    def __init__(self, candidate: Candidate, pace: Pace, *, user: Caller, provider_data: Mapping[str, Any]) -> None:
        self._candidate = candidate
        self._pace = pace
        self._user = user
        self._provider_data = provider_data

    async def generation(self, row: Row, number: int) -> Json:
        """What is answered to a row. number: of the row, for the log. Raises NobodyAnswers."""

        async def ask() -> Json:
            context = RequestContext(user=self._user, provider_data=self._provider_data, in_background=True)
            return await foreseen(self._candidate.answer(question), context, "a row of an evaluation", number=number)

        try:
            question = question_of(row)
            return await patiently(ask, self._pace)
        except NobodyAnswers:  # all of them wait
            raise
        except StackError as error:
            return {GENERATED: None, ERROR: error.message}


class Model:
    """A model. Chats are asked as chats, a text to go on with as a completion."""

    def __init__(self, inference: AsksModels, candidate: ModelCandidate) -> None:
        self._inference = inference
        self._settings = {"model": candidate.model, **sampling(candidate.sampling_params)}
        self._system: list[Json] = []
        if candidate.system_message is not None:
            self._system = [{"role": "system", "content": system_text(candidate)}]

    async def answer(self, question: Question) -> Json:
        """Raises what inference raises, and RequestError for what cannot be asked."""
        if question.messages is None:
            return await self._continued(question.text)
        given = {**self._settings, "messages": [*self._system, *question.messages]}
        if question.tools:
            given["tools"] = question.tools
        asked = validated(ChatCompletionRequest, given)
        reply = await self._inference.chat_completion(asked)
        assert isinstance(reply, Reply), "nothing streamed was asked for"
        with making_sense(_READER):
            message = reply.value()["choices"][0]["message"]
            said = text_of(message.get("content")) or text_of(message.get("refusal"))
            return {GENERATED: called(message) or said}

    async def _continued(self, text: str) -> Json:
        if self._system:
            raise RequestError(
                "`completion_input` is a text to go on with, which has no place for a `system_message`",
                hint="leave the `system_message` out, or give the column `question` in its place",
            )
        asked = validated(CompletionRequest, {**self._settings, "prompt": text})
        reply = await self._inference.completion(asked)
        assert isinstance(reply, Reply), "nothing streamed was asked for"
        with making_sense(_READER):
            return {GENERATED: text_of(reply.value()["choices"][0]["text"])}


class Agent:
    """An agent that is there. agent_id: its id."""

    def __init__(self, agents: Agents, agent_id: str) -> None:
        self._agents = agents
        self._agent_id = agent_id

    async def answer(self, question: Question) -> Json:
        """Raises what agents raise, and RequestError for what cannot be asked."""
        if question.tools:
            raise RequestError("The row has functions to call, and an agent has only its own tools: evaluate a model")
        mine = {"agent_id": self._agent_id}
        messages = question.messages or [{"role": "user", "content": question.text}]
        session = await self._agents.create_session(CreateSessionRequest(**mine, session_name="evaluation"))
        mine["session_id"] = session.session_id
        try:
            asked = validated(CreateTurnRequest, {**mine, "messages": messages, "stream": False})
            reply = await self._agents.create_turn(asked)
            assert isinstance(reply, Reply), "nothing streamed was asked for"
            with making_sense(_READER):
                return _of_turn(reply.value())
        finally:
            await to_the_end(_forgotten(self._agents, SessionRequest(**mine)))


async def _forgotten(agents: Agents, session: SessionRequest) -> None:
    with contextlib.suppress(StackError):  # it goes with its agent, at the end of the evaluation
        await agents.delete_session(session)


def _of_turn(turn: Json) -> Json:
    message = turn["output_message"]
    if not turn.get("completed_at"):
        names = ", ".join(f"`{call['tool_name']}`" for call in message.get("tool_calls") or ())
        raise RequestError(f"The agent waits for tools of a client: {names}; an evaluation has no client")
    found = [
        text_of(answer["content"])
        for step in turn["steps"]
        for answer in step.get("tool_responses") or ()
        if answer.get("tool_name") == _FOUND
    ]
    content = message["content"]
    answered = {GENERATED: text_of([content] if isinstance(content, dict) else content)}
    return answered | ({"context": "\n".join(found)} if found else {})


class MadeAgents:
    """Agents that are made for evaluations, and removed with them. agents: None where nobody can ask any. groups: of
    tools, None where there are none. why, hint: why nobody can ask an agent, and what to do.
    """

    def __init__(
        self,
        agents: Agents | None,
        groups: ToolGroups | None = None,
        *,
        why: str = "needs the API agents, which this stack does not serve",
        hint: str = "add `agents` and `responses` to the run config, or evaluate a model",
    ) -> None:
        self._agents = agents
        self._groups = groups
        self._why = why
        self._hint = hint

    @property
    def api(self) -> Agents:
        """Raises NotSupported."""
        if self._agents is None:
            raise NotSupported(
                f"A candidate of the type `agent` {self._why}",
                hint=self._hint,
                param="benchmark_config.eval_candidate.type",
            )
        return self._agents

    async def check(self, candidate: AgentCandidate) -> None:
        """Raises NotSupported where there are no agents, RequestError for tools that nobody runs, NotFound for a group
        of tools that is not there.
        """
        assert self.api is not None
        for one in candidate.config.toolgroups or ():
            await self._check_group(one if isinstance(one, str) else one.name)
        if candidate.config.client_tools:
            raise RequestError(
                "An evaluation has no client that runs `client_tools`",
                hint="leave them out, or have the agent use tools of this stack: `toolgroups`",
                param="benchmark_config.eval_candidate.config.client_tools",
            )

    async def _check_group(self, name: str) -> None:
        """name: of a group, or `group/tool`."""
        param = "benchmark_config.eval_candidate.config.toolgroups"
        if self._groups is None:
            raise NotFound(f"There is no group of tools `{name[:100]}`: this stack has no tools", param=param)
        try:
            await self._groups.get_tool_group(ToolGroupRequest(toolgroup_id=name))
        except NotFound as error:
            group, _, tool = name.rpartition("/")
            if not (group and tool):
                raise error.saying(error.message, param=param) from None
            await self._check_group(group)

    async def make(self, config: AgentConfig) -> str:
        """The id of a new one. Raises what agents raise."""
        return (await self.api.create_agent(CreateAgentRequest(agent_config=config))).agent_id

    async def remove(self, agent_id: str) -> None:
        """Remove one with its sessions, if it is there. Raises Unavailable."""
        with contextlib.suppress(NotFound, NotSupported):
            await self.api.delete_agent(AgentRequest(agent_id=agent_id))


def system_text(candidate: ModelCandidate) -> str:
    """What a model is told before each row. Raises RequestError for an image."""
    assert candidate.system_message is not None
    items = items_of(candidate.system_message.content)
    if any(isinstance(item, ImageItem) for item in items):
        raise RequestError(
            "The `system_message` has an image; it needs a text",
            param="benchmark_config.eval_candidate.system_message.content",
        )
    return "\n".join(item.text for item in items if not isinstance(item, ImageItem))
