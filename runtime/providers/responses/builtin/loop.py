"""The loop of a response: ask the model, run the tools that it calls, ask again, until it has answered.

                    +--------------------------------------------+
                    v                                            |
    messages -> the model -> items -> calls of tools that are run here? -- yes -> run them: their items, their messages
                                      | no
                                      v
                          the response is complete; calls of functions are the caller's to answer, and others the
                          caller's to allow

Every yield passes on the events that have come about. What a response is made from, and where it is kept, is not known
here.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass

from runtime.apis.inference.protocol import Inference
from runtime.apis.inference.sense import making_sense
from runtime.errors import RequestError, StackError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.at_once import run_calls
from runtime.providers.responses.builtin.compacting import Compacting
from runtime.providers.responses.builtin.offering import Opening, Tool, ToRun
from runtime.providers.responses.builtin.speaking import Speaking
from runtime.providers.responses.builtin.summarizing import SummaryRefused
from runtime.providers.responses.builtin.truncating import is_too_long
from runtime.providers.responses.builtin.turn import BROKEN_OFF, Turn
from runtime.sse import EventStream, Frames, Json, Reply

log = logging.getLogger(__name__)
_MOST_AT_ONCE = 8
"""Calls of one turn."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked. settings: of each chat completion; messages: of the first one. tools: those that are run here, by
    name; custom: the names of those that are called with text. openings: what comes first in the output. allowed: calls
    that are run before the model is asked. most_turns: how often it is asked at most; most_calls: how many calls are
    run here, None for any; at_once: whether several of a turn are. truncates: whether messages are left out where they
    are too long for the model. compacting: what makes them shorter before it is asked.
    """

    settings: Json
    messages: Sequence[Json]
    tools: Mapping[str, Tool]
    custom: Collection[str] = ()
    openings: Sequence[Opening] = ()
    allowed: Sequence[ToRun] = ()
    most_turns: int
    most_calls: int | None = None
    at_once: bool = True
    truncates: bool = False
    compacting: Compacting | None = None


class Loop:
    def __init__(self, plan: Plan, inference: Inference, answering: Answering) -> None:
        self._plan = plan
        self._answering = answering
        self._messages = [*plan.messages]
        self._speaking = Speaking(inference, plan.settings, truncates=plan.truncates)
        self._calls_left = plan.most_calls
        self._is_summary = False  # what was asked for last

    async def begin(self) -> Reply | EventStream | None:
        """Ask for the first time, unless calls are to be run before. Raises what the model's provider raises before its
        answer begins.
        """
        return None if self._plan.allowed else await self._next()

    async def run(self, answer: Reply | EventStream | None) -> AsyncGenerator[Frames, None]:
        """The events, from the answer that `begin` returned, which is closed however they end. Ends with the response's
        end, and raises nothing but what means that nobody waits any more.
        """
        first, turn = answer, None
        try:
            self._answering.begin()
            for opening in self._plan.openings:
                opening.tell(self._answering)
            if frames := self._answering.take():
                yield frames
            if answer is None:
                async with contextlib.aclosing(self._run_tools(self._plan.allowed, {"content": None})) as running:
                    async for frames in running:
                        yield frames
                answer = await self._go_on()
            for number in range(1, self._plan.most_turns + 1):
                if self._is_summary:
                    try:
                        async with contextlib.aclosing(self._compact(answer)) as compacting:
                            async for frames in compacting:
                                yield frames
                        answer = await self._ask()
                    except SummaryRefused as refused:  # that is the answer then
                        answer = refused.answer
                turn = Turn(self._answering, ours=self._plan.tools, custom=self._plan.custom)
                if isinstance(answer, Reply):
                    self._hear(answer, turn)
                    if frames := self._answering.take():
                        yield frames
                else:
                    async with contextlib.aclosing(self._read(answer, turn)) as reading:
                        async for frames in reading:
                            yield frames
                ours = [ToRun(call=call, tool=self._plan.tools[call.name]) for call in turn.calls if call.place is None]
                if not self._goes_on(turn, ours):
                    break
                self._answering.calls_in_answer = len(turn.calls)
                granted = [one for one in ours if not one.tool.asks(one.call, self._answering)]
                waits = len(granted) < len(turn.calls)  # for the caller, who has functions to run or calls to allow
                if number == self._plan.most_turns and not waits:
                    self._answering.break_off("max_infer_iters")
                    break
                async with contextlib.aclosing(self._run_tools(granted, _said(turn))) as running:
                    async for frames in running:
                        yield frames
                if waits:
                    self._answering.complete()
                    break
                answer = await self._go_on()
        except StackError as error:
            self._failed(turn, error)
        except Exception:
            log.exception("a response cannot be made")
            self._failed(turn, StackError("The server failed on this response; its log says why"))
        except BaseException:  # nobody waits any more
            if turn is not None:
                turn.interrupt()
            raise
        finally:
            if isinstance(first, EventStream):
                await first.aclose()
        if frames := self._answering.take():
            yield frames

    async def _next(self) -> Reply | EventStream:
        """Ask for a summary where the messages are too many, else for an answer."""
        if (compacting := self._plan.compacting) is not None:
            summary = await compacting.begin(self._plan.settings, self._messages, streams=self._answering.streams)
            self._is_summary = summary is not None
            if summary is not None:
                return summary
        return await self._ask()

    async def _go_on(self) -> Reply | EventStream:
        """The same with what the tools gave back, which may be more than the model reads: no request shows that."""
        try:
            return await self._next()
        except StackError as error:
            if not is_too_long(error):
                raise
            ways = dict.fromkeys(tool.to_give_less for tool in self._plan.tools.values() if tool.to_give_less)
            raise RequestError(
                f"With what the tools gave back, the conversation is too long for the model: {error.message}",
                hint=", or ".join([*ways, "set `truncation` to `auto`"]),
                code=error.code,
            ) from error

    async def _compact(self, summary: Reply | EventStream) -> AsyncGenerator[Frames, None]:
        assert self._plan.compacting is not None, "it was asked for by that"
        self._is_summary = False
        compacts = self._plan.compacting.compact(summary, self._messages, self._answering)
        async with contextlib.aclosing(compacts) as compacting:
            async for frames in compacting:
                yield frames

    async def _ask(self) -> Reply | EventStream:
        return await self._speaking.ask(self._messages, streams=self._answering.streams)

    def _hear(self, answer: Reply, turn: Turn) -> None:
        with making_sense("responses"):
            for chunk in self._speaking.heard(answer.value()):
                turn.add(chunk)
        self._end(turn)

    async def _read(self, answer: EventStream, turn: Turn) -> AsyncGenerator[Frames, None]:
        async with contextlib.aclosing(answer):
            async for read in answer:
                with making_sense("responses"):
                    for sent in read.events():
                        for chunk in self._speaking.heard(sent):
                            turn.add(chunk)
                if frames := self._answering.take():
                    yield frames
        self._end(turn)
        if frames := self._answering.take():
            yield frames

    def _end(self, turn: Turn) -> None:
        with making_sense("responses"):
            for chunk in self._speaking.rest():
                turn.add(chunk)
            turn.end()

    def _goes_on(self, turn: Turn, ours: Sequence[ToRun]) -> bool:
        """Whether there are tools to run; if not, the response has ended."""
        if turn.violation is not None:
            self._answering.refuse(turn.violation)
        elif turn.finish_reason in BROKEN_OFF:
            self._answering.break_off(BROKEN_OFF[turn.finish_reason])
        elif self._calls_left == 0 and len(ours) == len(turn.calls) > 0 and not turn.text:
            self._answering.break_off("max_tool_calls")  # its provider heeds no `tool_choice`
        elif not ours or self._calls_left == 0:
            self._answering.complete()
        else:
            return True
        return False

    async def _run_tools(self, calls: Sequence[ToRun], said: Json) -> AsyncGenerator[Frames, None]:
        """said: the message of the assistant that they belong to, without them."""
        self._speaking.has_called()
        called = [one.call.as_message() for one in calls]
        self._messages.append({"role": "assistant", **said, "tool_calls": called})
        allowed = calls if self._calls_left is None else calls[: self._calls_left]
        told = ["no more calls are allowed"] * len(calls)
        most = _MOST_AT_ONCE if self._plan.at_once else 1
        async with contextlib.aclosing(run_calls(allowed, self._answering, most=most)) as running:
            async for place, words in running:
                told[place] = words
                if frames := self._answering.take():
                    yield frames
        for one, words in zip(calls, told, strict=True):
            self._messages.append({"role": "tool", "tool_call_id": one.call.id, "content": words})
        if self._calls_left is not None:
            self._calls_left -= len(allowed)
        if self._calls_left == 0:
            self._speaking.take_away(self._plan.tools)

    def _failed(self, turn: Turn | None, error: StackError) -> None:
        if turn is not None:
            turn.interrupt()
        self._answering.fail(error)


def _said(turn: Turn) -> Json:
    """What the model said and thought in a turn, as a message."""
    thought = {"reasoning_content": turn.reasoning} if turn.reasoning else {}
    return {"content": turn.text or None} | thought | turn.details.as_members()
