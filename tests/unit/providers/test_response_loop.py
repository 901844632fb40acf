"""The loop of a response ends it, whatever happens within."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from runtime.apis.inference.calls import Call
from runtime.errors import NotFound
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.loop import Loop, Plan
from runtime.providers.responses.builtin.offering import Tool
from runtime.sse import Json
from tests.support.response_parts import MODEL, Speaker, beginning, piece
from tests.support.response_streams import check_types

CALL = [
    piece({"content": "See."}),
    piece({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "look", "arguments": "{}"}}]}),
]


class Broken(Tool):
    """A tool of ours with a fault."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def asks(self, call: Call, answering: Answering) -> bool:
        return False

    async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        answering.add({"type": "file_search_call", "id": "fs_1", "queries": [], "status": "in_progress"})
        yield "it was asked"
        raise self._error


@pytest.mark.parametrize("error", [RuntimeError, IndexError, OverflowError, ValueError, RecursionError])
async def test_a_fault_of_ours_fails_the_response_and_is_told_in_the_log(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    answering = beginning()
    tools = {"look": Broken(error("the key is sk-1234"))}
    plan = Plan(settings={"model": MODEL}, messages=[{"role": "user", "content": "Hi"}], tools=tools, most_turns=5)
    loop = Loop(plan, Speaker(CALL), answering)  # type: ignore[arg-type]  # it answers chats
    events = [event async for frames in loop.run(await loop.begin()) for event in frames.events()]
    for event in events:
        check_types(event)
    failed = events[-1]["response"]
    assert (events[-1]["type"], failed["status"]) == ("response.failed", "failed")
    assert [item["status"] for item in failed["output"]] == ["completed", "incomplete"]
    assert failed["error"]["message"] == "The server failed on this response; its log says why"
    [record] = caplog.records
    assert record.exc_info is not None and isinstance(record.exc_info[1], error)


class Looks(Tool):
    """A tool of ours, which gives back `rain`."""

    to_give_less = None

    def __init__(self) -> None:
        self.runs = 0

    def asks(self, call: Call, answering: Answering) -> bool:
        return False

    async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        self.runs += 1
        yield "rain"


def calling(*names: str) -> list[Json]:
    """An answer that calls these."""
    parts = [
        {"index": at, "id": f"c{at}", "function": {"name": name, "arguments": "{}"}} for at, name in enumerate(names)
    ]
    return [piece({"tool_calls": parts}, finish_reason="tool_calls")]


def offered(*names: str) -> list[Json]:
    return [{"type": "function", "function": {"name": name}} for name in names]


async def made(speaker: Speaker, tool: Looks, most_calls: int, *names: str) -> Json:
    """The response, whose model may call these. One of them, `look`, is run here."""
    answering = beginning()
    settings = {"model": MODEL, "tools": offered(*names), "tool_choice": "required"}
    plan = Plan(
        settings=settings,
        messages=[{"role": "user", "content": "Hi"}],
        tools={"look": tool},
        most_turns=5,
        most_calls=most_calls,
    )  # type: ignore[arg-type]
    loop = Loop(plan, speaker, answering)  # type: ignore[arg-type]  # it answers chats
    async for _ in loop.run(await loop.begin()):
        pass
    return answering.response


async def test_after_the_last_call_that_is_allowed_the_model_answers_without_tools() -> None:
    speaker, tool = Speaker(calling("look"), calling("look", "look"), [piece({"content": "Rain."})]), Looks()
    response = await made(speaker, tool, 2, "look")
    assert (response["status"], tool.runs) == ("completed", 2)
    assert response["output"][0]["content"][0]["text"] == "Rain."
    assert [asked["tool_choice"] for asked in speaker.asked] == ["required", "auto", "none"]
    assert [message.get("content") for message in speaker.asked[-1]["messages"][-2:]] == [
        "rain",
        "no more calls are allowed",
    ]


async def test_functions_of_the_caller_may_still_be_called_then() -> None:
    speaker, tool = Speaker(calling("look"), calling("look", "theirs")), Looks()
    response = await made(speaker, tool, 1, "look", "theirs")
    assert [item["name"] for item in response["output"]] == ["theirs"] and response["status"] == "completed"
    assert (speaker.asked[-1]["tools"], tool.runs) == (offered("theirs"), 1)


async def test_a_model_that_still_does_nothing_but_call_says_why_there_is_no_answer() -> None:
    response = await made(Speaker(calling("look"), calling("look")), Looks(), 1, "look")
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_tool_calls"})


class Meets(Tool):
    """A tool of ours: a call of it ends when all of them run. all: how many these are."""

    to_give_less = None

    def __init__(self, all: int) -> None:
        self._met = asyncio.Barrier(all)
        self.running = self.most = 0

    def asks(self, call: Call, answering: Answering) -> bool:
        return False

    async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            item = answering.new_item("file_search_call", queries=[call.id], status="in_progress", results=None)
            place = answering.add(item)
            yield ""
            async with asyncio.timeout(5):
                arrived = await self._met.wait()
            answering.done(place, "completed")
            yield f"rain at {call.id}, number {arrived}"
        finally:
            self.running -= 1


def calling_often(tool: Tool, calls: int, *, at_once: bool = True) -> tuple[Loop, Speaker, Answering]:
    """A response whose model calls this tool so often in one turn, and then answers."""
    answering, speaker = beginning(), Speaker(calling(*["look"] * calls), [piece({"content": "Rain."})])
    plan = Plan(
        settings={"model": MODEL, "tools": offered("look")},
        messages=[{"role": "user", "content": "Hi"}],
        tools={"look": tool},
        most_turns=5,
        at_once=at_once,
    )
    return Loop(plan, speaker, answering), speaker, answering  # type: ignore[arg-type]  # it answers chats


async def test_calls_of_one_turn_run_at_once_and_are_told_in_their_order() -> None:
    loop, speaker, answering = calling_often(tool := Meets(3), 3)
    events = [event async for frames in loop.run(await loop.begin()) for event in frames.events()]
    for event in events:
        check_types(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [item.get("queries") for item in answering.output] == [["c0"], ["c1"], ["c2"], None]
    assert {item["status"] for item in answering.output} == {"completed"}
    said = [message["content"] for message in speaker.asked[-1]["messages"] if message["role"] == "tool"]
    assert [words.partition(",")[0] for words in said] == ["rain at c0", "rain at c1", "rain at c2"]
    assert (tool.most, tool.running) == (3, 0)


async def test_so_many_run_at_once_and_no_more() -> None:
    loop, _, answering = calling_often(tool := Meets(8), 24)
    async for _ in loop.run(await loop.begin()):
        pass
    assert (answering.response["status"], tool.most) == ("completed", 8)
    assert [item["queries"] for item in answering.output[:-1]] == [[f"c{at}"] for at in range(24)]


async def test_without_parallel_tool_calls_they_run_one_after_another() -> None:
    loop, _, answering = calling_often(tool := Meets(1), 3, at_once=False)
    async for _ in loop.run(await loop.begin()):
        pass
    assert (answering.response["status"], tool.most) == ("completed", 1)


async def test_whoever_leaves_ends_all_calls() -> None:
    loop, _, _ = calling_often(tool := Meets(4), 3)
    events = loop.run(await loop.begin())
    async for _ in events:
        if tool.running == 3:
            break
    await events.aclose()
    assert (tool.most, tool.running) == (3, 0)


async def test_a_call_that_ends_the_response_ends_the_others() -> None:
    answering, meets = beginning(), Meets(2)
    plan = Plan(
        settings={"model": MODEL, "tools": offered("meet", "look")},
        messages=[{"role": "user", "content": "Hi"}],
        tools={"meet": meets, "look": Broken(NotFound("it is gone"))},
        most_turns=5,
    )
    loop = Loop(plan, Speaker(calling("meet", "look")), answering)  # type: ignore[arg-type]  # it answers chats
    async for _ in loop.run(await loop.begin()):
        pass
    assert (answering.response["status"], meets.running) == ("failed", 0)
    assert answering.response["error"]["message"] == "it is gone"
    assert [item["status"] for item in answering.output] == ["incomplete", "incomplete"]


async def test_a_call_that_is_cancelled_from_elsewhere_ends_the_response() -> None:
    class Cancelled(Looks):
        async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
            raise asyncio.CancelledError
            yield

    loop, _, answering = calling_often(Cancelled(), 2)
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            async for _ in loop.run(await loop.begin()):
                pass
    assert answering.output == []


async def test_an_answer_is_closed_where_its_first_events_cannot_be_kept() -> None:
    answering, speaker = beginning(), Speaker(CALL)
    plan = Plan(settings={"model": MODEL}, messages=[{"role": "user", "content": "Hi"}], tools={}, most_turns=5)
    loop = Loop(plan, speaker, answering)  # type: ignore[arg-type]  # it answers chats
    events = loop.run(await loop.begin())
    await anext(events)
    await events.aclose()
    assert speaker.closed == 1
