"""The loop of a response ends it, whatever happens within."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.calls import Call
from runtime.providers.responses.builtin.loop import Loop, Plan
from tests.support.response_parts import MODEL, Speaker, beginning, piece
from tests.support.response_streams import check_types

CALL = [
    piece({"content": "See."}),
    piece({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "look", "arguments": "{}"}}]}),
]


class Broken:
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
