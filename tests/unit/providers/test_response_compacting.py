"""Conversations that grow too long while a response is made: summarised before the model is asked again."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runtime.apis.inference.calls import Call
from runtime.errors import StackError, UpstreamError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.compacting import Compacting
from runtime.providers.responses.builtin.loop import Loop, Plan
from runtime.providers.responses.builtin.messages import COMPACTED, messages_of
from runtime.providers.responses.builtin.offering import Tool
from runtime.providers.responses.builtin.sealing import Seal
from runtime.sse import Json
from tests.support.response_parts import MODEL, Speaker, beginning, piece, told
from tests.support.response_streams import check_types

SEAL = Seal(AESGCM(AESGCM.generate_key(256)))
USER: Json = {"role": "user", "content": "How often?"}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
SUMMARY = [piece({"content": "It was "}), piece({"content": "looked up."}), {"choices": [], "usage": USAGE}]
CALL = [piece({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "look", "arguments": "{}"}}]})]
ANSWER = [piece({"content": "Weekly."}), {"choices": [], "usage": USAGE}]


class Looked(Tool):
    """A tool of ours, whose call is an item."""

    def asks(self, call: Call, answering: Answering) -> bool:
        return False

    async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        item = {"type": "file_search_call", "id": answering.new_id("fs_"), "queries": [], "status": "completed"}
        answering.done(answering.add(item))
        yield "found: every week"


def compacting(speaker: Any, *, threshold: int = 9, clock: Iterator[float] | None = None) -> Compacting:
    ticks = itertools.repeat(0.0) if clock is None else clock
    return Compacting(
        threshold=threshold,
        inference=speaker,
        seal=SEAL,
        messages=lambda item: messages_of([USER, item], opened=SEAL.open),
        clock=lambda: next(ticks),
    )


async def made(speaker: Any, answering: Answering, messages: list[Json], **facts: Any) -> list[Json]:
    """The events of a whole response."""
    plan = Plan(
        settings={"model": MODEL, "store": False},
        messages=messages,
        tools={"look": Looked()},
        most_turns=5,
        compacting=compacting(speaker, **facts),
    )
    loop = Loop(plan, speaker, answering)
    return [event async for frames in loop.run(await loop.begin()) for event in frames.events()]


def kinds(events: list[Json]) -> list[str]:
    return [f"{event['type'].removeprefix('response.')} {event.get('item', {}).get('type', '')}".strip()
            for event in events if "item" in event or "compact" in event["type"] or "response" in event]  # fmt: skip


async def test_what_tools_gave_back_is_summarised_before_the_model_is_asked_again() -> None:
    speaker, answering = Speaker(CALL, SUMMARY, ANSWER), beginning()
    events = await made(speaker, answering, [USER])
    assert kinds(events) == [
        "created", "in_progress",
        "output_item.added file_search_call", "output_item.done file_search_call",
        "output_item.added compaction", "output_item.done compaction",
        "output_item.added message", "output_item.done message",
        "completed",
    ]  # fmt: skip
    first, summary, second = speaker.asked
    assert first["messages"] == [USER]
    assert "tool: found: every week" in summary["messages"][1]["content"] and summary["stream"] is True
    assert second["messages"] == [{"role": "system", "content": f"{COMPACTED}It was looked up."}, USER]
    assert answering.response["usage"]["total_tokens"] == 14 and speaker.closed == 3
    kept = [{"type": "message", **USER}, *answering.output]
    read = messages_of(kept, opened=SEAL.open)
    assert read == [*second["messages"], {"role": "assistant", "content": "Weekly."}], "as what continues it reads"


async def test_it_is_the_same_whole() -> None:
    whole = [[{"choices": [{"message": part["choices"][0]["delta"]}]}] for part in (CALL[0], SUMMARY[1], ANSWER[0])]
    speaker, answering = Speaker(*whole), beginning(streams=False)
    assert await made(speaker, answering, [USER]) == []
    assert [item["type"] for item in answering.output] == ["file_search_call", "compaction", "message"]
    assert SEAL.open(answering.output[1]["encrypted_content"]) == "looked up."


async def test_a_conversation_that_stays_short_is_never_summarised() -> None:
    speaker = Speaker(CALL, ANSWER)
    assert "output_item.added compaction" not in kinds(await made(speaker, beginning(), [USER], threshold=10))
    assert len(speaker.asked) == 2


async def test_a_long_summary_is_told_of_every_half_minute_at_most() -> None:
    words = [piece({"content": "word "}) for _ in range(7)]
    clock = iter([0.0, 10.0, 29.9, 30.0, 30.0, 59.0, 61.0, 61.0, 62.0, 80.0])
    speaker, answering, messages = Speaker([*words, piece({"reasoning_content": "hm"})]), beginning(), [USER]
    compacts = compacting(speaker, clock=clock)
    answer = await compacts.begin({"model": MODEL}, [USER, {"role": "assistant", "content": "x"}], streams=True)
    assert answer is not None
    events = [event async for frames in compacts.compact(answer, messages, answering) for event in frames.events()]
    assert [event["type"].removeprefix("response.") for event in events] == [
        "output_item.added", "compaction.compacting", "compaction.compacting", "output_item.done",
    ]  # fmt: skip
    for event in events:
        check_types(event)
    [item] = answering.output
    assert events[0]["item"]["encrypted_content"] == "" and events[-1]["item"] == item
    assert {key: events[1][key] for key in ("item_id", "output_index")} == {"item_id": item["id"], "output_index": 0}


@pytest.mark.parametrize(
    "summary",
    [[piece({"content": "  "})], UpstreamError("it is gone", provider_id="vendor")],
    ids=["says nothing", "refused"],
)
async def test_a_summary_that_fails_in_the_middle_leaves_nothing_that_cannot_be_continued(
    summary: list[Json] | StackError,
) -> None:
    speaker, answering = Speaker(CALL, summary), beginning()
    events = await made(speaker, answering, [USER])
    assert events[-1]["type"] == "response.failed"
    assert [item["type"] for item in answering.output] == ["file_search_call"]


@pytest.mark.parametrize("odd", [{"choices": [], "usage": {"prompt_tokens": "many"}}, {"choices": [None]}])
async def test_a_summary_that_makes_no_sense_leaves_nothing_that_cannot_be_continued(odd: Json) -> None:
    answering = beginning()
    events = await made(Speaker([*SUMMARY[:2], odd]), answering, [USER, {"role": "assistant", "content": "Ever"}])
    failed = events[-1]["response"]
    assert (events[-1]["type"], failed["output"]) == ("response.failed", [])
    assert failed["error"]["message"].startswith("The model's answer makes no sense: ")


async def test_whoever_leaves_while_it_is_summarised_leaves_nothing_of_it() -> None:
    speaker, answering = Speaker(SUMMARY), beginning()
    compacts = compacting(speaker)
    answer = await compacts.begin({"model": MODEL}, [USER, {"role": "assistant", "content": "x"}], streams=True)
    assert answer is not None
    running = compacts.compact(answer, [USER], answering)
    await anext(running)
    assert [item["type"] for item in answering.output] == ["compaction"]
    await running.aclose()
    assert answering.output == [] and told(answering) == [] and speaker.closed == 1
