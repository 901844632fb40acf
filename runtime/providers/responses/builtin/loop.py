"""The loop of a response: ask the model, run the tools that it calls, ask again, until it has answered.

                    +--------------------------------------------+
                    v                                            |
    messages -> the model -> items -> calls of tools that are run here? -- yes -> run them: their items, their messages
                                      | no
                                      v
                          the response is complete; calls of functions are the caller's to answer

Every yield passes on the events that have come about. What a response is made from, and where it is kept, is not known
here.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.apis.inference import Inference
from runtime.errors import StackError, UpstreamError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.calls import Call
from runtime.providers.responses.builtin.compacting import Compacted, Compacting
from runtime.providers.responses.builtin.speaking import Speaking
from runtime.providers.responses.builtin.turn import BROKEN_OFF, Turn
from runtime.sse import EventStream, Frames, Json, Reply

log = logging.getLogger(__name__)


class Tool(Protocol):
    """A tool that is run here: one file each, beside this one."""

    def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        """Put the call's item into the output, do what it asks for, and yield once for each time that events are to
        be passed on; the last that is yielded is what the model is told. A call that cannot be done is an item that
        failed, and words for the model: it raises nothing but what ends the response.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked. settings: of each chat completion; messages: of the first one. tools: those that are run here, by
    name. most_turns: how often the model is asked at most; most_calls: how many calls are run here, None for any.
    truncates: whether messages are left out where they are too long for the model. compacting: what makes them shorter
    before it is asked.
    """

    settings: Json
    messages: Sequence[Json]
    tools: Mapping[str, Tool]
    most_turns: int
    most_calls: int | None = None
    truncates: bool = False
    compacting: Compacting | None = None


class Loop:
    def __init__(self, plan: Plan, inference: Inference, answering: Answering) -> None:
        self._plan = plan
        self._answering = answering
        self._messages = [*plan.messages]
        self._speaking = Speaking(inference, plan.settings, truncates=plan.truncates)
        self._calls_left = plan.most_calls
        self._compacted: Compacted | None = None

    async def begin(self) -> Reply | EventStream:
        """Ask for the first time. Raises what the model's provider raises before its answer begins."""
        if (compacting := self._plan.compacting) is not None:
            self._compacted = await compacting.compacted(self._plan.settings, self._messages, self._answering)
            if self._compacted is not None:
                self._messages = [*self._compacted.messages]
        return await self._ask()

    async def run(self, answer: Reply | EventStream) -> AsyncGenerator[Frames, None]:
        """The events, from the answer that `begin` returned. Ends with the response's end, and raises nothing but
        what means that nobody waits any more.
        """
        self._answering.begin()
        if self._compacted is not None:
            self._compacted.tell(self._answering)
        if frames := self._answering.take():
            yield frames
        turn: Turn | None = None
        try:
            for number in range(1, self._plan.most_turns + 1):
                turn = Turn(self._answering, ours=self._plan.tools)
                async with contextlib.aclosing(self._read(answer, turn)) as reading:
                    async for frames in reading:
                        yield frames
                ours = [call for call in turn.calls if call.place is None]
                if not self._goes_on(turn, ours):
                    break
                if number == self._plan.most_turns:
                    self._answering.break_off("max_infer_iters")
                    break
                async with contextlib.aclosing(self._run_tools(turn, ours)) as running:
                    async for frames in running:
                        yield frames
                answer = await self._ask()
        except StackError as error:
            self._failed(turn, error)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            log.exception("the answer of a model cannot be read")
            self._failed(turn, UpstreamError(f"The model's answer makes no sense: {error}", provider_id="responses"))
        except BaseException:  # nobody waits any more
            if turn is not None:
                turn.interrupt()
            raise
        if frames := self._answering.take():
            yield frames

    async def _ask(self) -> Reply | EventStream:
        return await self._speaking.ask(self._messages, streams=self._answering.streams)

    async def _read(self, answer: Reply | EventStream, turn: Turn) -> AsyncGenerator[Frames, None]:
        if isinstance(answer, Reply):
            for chunk in self._speaking.heard(answer.value()):
                turn.add(chunk)
        else:
            async with contextlib.aclosing(answer):
                async for read in answer:
                    for sent in read.events():
                        for chunk in self._speaking.heard(sent):
                            turn.add(chunk)
                    if frames := self._answering.take():
                        yield frames
        turn.end()
        if frames := self._answering.take():
            yield frames

    def _goes_on(self, turn: Turn, ours: list[Call]) -> bool:
        """Whether there are tools to run and nothing that the caller has to do; if not, the response has ended."""
        if turn.finish_reason in BROKEN_OFF:
            self._answering.break_off(BROKEN_OFF[turn.finish_reason])
        elif not ours or len(ours) < len(turn.calls) or self._calls_left == 0:
            self._answering.complete()
        else:
            return True
        return False

    async def _run_tools(self, turn: Turn, calls: list[Call]) -> AsyncGenerator[Frames, None]:
        called = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
        self._speaking.has_called()
        message: Json = {"role": "assistant", "content": turn.text or None, "tool_calls": called}
        self._messages.append(message | ({"reasoning_content": turn.reasoning} if turn.reasoning else {}))
        for call in calls:
            told = "no more calls are allowed"
            if self._calls_left != 0:
                async with contextlib.aclosing(self._plan.tools[call.name].run(call, self._answering)) as running:
                    async for words in running:
                        told = words
                        if frames := self._answering.take():
                            yield frames
                self._calls_left = self._calls_left and self._calls_left - 1
            self._messages.append({"role": "tool", "tool_call_id": call.id, "content": told})

    def _failed(self, turn: Turn | None, error: StackError) -> None:
        if turn is not None:
            turn.interrupt()
        self._answering.fail(error)
