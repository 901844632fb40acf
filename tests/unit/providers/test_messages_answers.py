"""Anthropic's answers in OpenAI's form, whole and streamed. https://platform.claude.com/docs/en/api/messages/create"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runtime.apis.inference.merging import MergedChat
from runtime.errors import UpstreamError
from runtime.providers.inference._messages.answers import completion_of
from runtime.providers.inference._messages.streams import Chunks, Finished, as_event
from runtime.sse import Frames

THOUGHT = {"type": "thinking", "thinking": "hm hm", "signature": "abc"}
OMITTED = {"type": "thinking", "thinking": "", "signature": "def"}
HIDDEN = {"type": "redacted_thinking", "data": "xyz"}
SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "rome"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "url": "u"}]}
PAGE = {"type": "web_search_result_location", "url": "https://a.test/", "title": None, "cited_text": "x"}
QUOTE = {"type": "char_location", "cited_text": "x"}
USAGE = {"input_tokens": 3, "output_tokens": 4}


def text(words: str, *citations: dict[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": words, "citations": [*citations] or None}


def call(id: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "add", "input": arguments, "caller": {"type": "direct"}}


def answer(*blocks: dict[str, Any], reason: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "content": [*blocks], "stop_reason": reason, "usage": USAGE, **more}


def events_of(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same as a stream, two characters at a time."""
    usage = message["usage"]
    begun = {"input_tokens": usage["input_tokens"], "output_tokens": 1, "cache_read_input_tokens": None}
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": begun}}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        start, deltas = block, []
        if block["type"] == "text":
            start = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in cut(block["text"])]
            deltas += [{"type": "citations_delta", "citation": one} for one in block["citations"] or ()]
        elif block["type"] == "thinking":
            start = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in cut(block["thinking"]) or [""]]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        elif block["type"] in ("tool_use", "server_tool_use", "mcp_tool_use"):
            start = {**block, "input": {}}
            written = cut(Frames.of(block["input"]).data.decode()[6:-2]) if block["input"] else []
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *written]]
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": message["stop_reason"], "stop_details": message.get("stop_details")}
    yield {"type": "message_delta", "delta": delta, "usage": {**usage, "input_tokens": None}}
    yield {"type": "message_stop"}


def cut(words: str) -> list[str]:
    return [words[at : at + 2] for at in range(0, len(words), 2)]


async def chunks_of(*events: dict[str, Any], has_answer_tool: bool = False) -> list[Any]:
    stage = Chunks("m", "claude", wants_usage=True, has_answer_tool=has_answer_tool)
    found: list[Any] = []
    for event in events:
        frames = await stage.read(Frames.of(event))
        found += frames.events() if frames else []
    last = await stage.ended("complete", None)
    return found + (last.events() if last else [])


async def both(message: dict[str, Any], *, has_answer_tool: bool = False) -> dict[str, Any]:
    """The message that becomes of an answer; the same whether it is streamed or not."""
    whole = completion_of(message, "m", "claude", has_answer_tool=has_answer_tool)
    merged = MergedChat(choices=1)
    merged.add(Frames.of(*await chunks_of(*events_of(message), has_answer_tool=has_answer_tool)).data)
    streamed = merged.answer()
    (choice,), (other,) = whole["choices"], streamed["choices"]
    found = {name: value for name, value in choice["message"].items() if value not in (None, "")}
    assert {name: value for name, value in other["message"].items() if value not in (None, "")} == found
    assert (whole["id"], whole["usage"]) == (streamed["id"], streamed["usage"]) == ("chatcmpl-msg_1", whole["usage"])
    assert choice["finish_reason"] == other["finish_reason"]
    return {**choice["message"], "end": choice["finish_reason"]}


async def test_text() -> None:
    message = await both(answer(text("It is "), text("sunny.")))
    assert message == {"role": "assistant", "content": "It is sunny.", "refusal": None, "end": "stop"}
    assert (await both(answer()))["content"] == ""


async def test_thinking_and_what_is_kept_of_it() -> None:
    message = await both(answer(THOUGHT, HIDDEN, text("ab"), OMITTED, text("c")))
    assert (message["reasoning_content"], message["content"]) == ("hm hm", "abc")
    marks = [{"type": "text", "length": 2}, {"type": "text", "length": 1}]
    blocks = [THOUGHT, HIDDEN, marks[0], OMITTED, marks[1]]
    assert message["extra_content"] == {"anthropic": {"blocks": blocks}}


async def test_calls_and_the_thinking_before_each() -> None:
    message = await both(answer(OMITTED, text("Now."), call("c1", a=1), HIDDEN, call("c2"), reason="tool_use"))
    assert (message["content"], message["end"]) == ("Now.", "tool_calls")
    first, second = message["tool_calls"]
    assert first == {
        "id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'},
        "extra_content": {"anthropic": {"blocks": [OMITTED, {"type": "text", "length": 4}]}},
    }  # fmt: skip
    assert second["function"]["arguments"] == "{}"
    assert second["extra_content"] == {"anthropic": {"blocks": [HIDDEN]}}
    message = await both(answer(text("Now."), call("c1", a="é\U0001f600"), reason="tool_use"))
    assert "extra_content" not in message["tool_calls"][0] and "extra_content" not in message
    assert (await both(answer(call("c1"), reason="tool_use")))["content"] is None


async def test_what_anthropic_s_own_tools_did_is_kept_and_their_pages_are_cited() -> None:
    message = await both(answer(SEARCH, FOUND, text("Rome, "), text("said A.", PAGE, QUOTE), reason="pause_turn"))
    assert (message["content"], message["end"]) == ("Rome, said A.", "length")
    cited = {"start_index": 6, "end_index": 13, "url": "https://a.test/", "title": ""}
    assert message["annotations"] == [{"type": "url_citation", "url_citation": cited}]
    kept = message["extra_content"]["anthropic"]["blocks"]
    assert kept == [SEARCH, FOUND, {"type": "text", "length": 6}, {"type": "text", "length": 7}]


async def test_what_a_tool_of_an_mcp_server_was_called_with_is_kept() -> None:
    use = {**SEARCH, "type": "mcp_tool_use", "server_name": "x"}
    found = {"type": "mcp_tool_result", "tool_use_id": "s1", "is_error": False, "content": []}
    message = await both(answer(use, found, text("Rome")))
    assert message["extra_content"]["anthropic"]["blocks"] == [use, found, {"type": "text", "length": 4}]


async def test_a_tool_that_stands_for_the_form_is_the_answer() -> None:
    message = await both(answer(call("c1", a=[1]), reason="tool_use"), has_answer_tool=True)
    assert (message["content"], message["end"], "tool_calls" in message) == ('{"a":[1]}', "stop", False)
    assert (await both(answer(call("c1"), reason="tool_use"), has_answer_tool=True))["content"] == "{}"


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("pause_turn", "length"),
        ("model_context_window_exceeded", "length"), ("refusal", "content_filter"), ("newer", "newer"),
    ],
)  # fmt: skip
async def test_ends(reason: str, end: str) -> None:
    assert (await both(answer(text("a"), reason=reason)))["end"] == end


async def test_a_refusal_has_the_words_of_the_classifier() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "It could do harm."}
    assert (await both(answer(reason="refusal", stop_details=details)))["refusal"] == "It could do harm."
    assert (await both(answer(reason="refusal", stop_details={**details, "explanation": None})))["refusal"] is None


def test_token_counts() -> None:
    counts = {
        "input_tokens": 3, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 5, "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 7}, "service_tier": "standard",
    }  # fmt: skip
    completion = completion_of(answer(text("a"), usage=counts), "m", "claude", has_answer_tool=False)
    assert completion["usage"] == {
        "prompt_tokens": 18, "completion_tokens": 9, "total_tokens": 27,
        "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 7},
    }  # fmt: skip
    assert completion["service_tier"] == "default"


async def test_the_last_counts_of_a_stream_are_right() -> None:
    start = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}}
    counts = {"input_tokens": 12, "cache_read_input_tokens": 2, "output_tokens": 5}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": counts}
    *_, last = await chunks_of(start, end)
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (14, 5)


async def test_counts_that_are_none_are_left_out() -> None:
    start = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": "9", "output_tokens": 1}}}
    *_, last = await chunks_of(start, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    assert "usage" not in last


async def test_a_server_that_writes_a_block_whole_at_its_start_is_read() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 1}}}
    blocks = [{**THOUGHT}, text("ab"), call("c1", a=1)]
    events = [
        event
        for index, block in enumerate(blocks)
        for event in (
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_stop", "index": index},
        )
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}
    deltas = [chunk["choices"][0]["delta"] for chunk in (await chunks_of(start, *events, end))[:-1]]
    assert [delta.get("reasoning_content") or delta.get("content") for delta in deltas][1:3] == ["hm hm", "ab"]
    arguments = [part["function"]["arguments"] for delta in deltas for part in delta.get("tool_calls") or ()]
    assert arguments == ["", '{"a":1}']


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message_start"},
        {"type": "message_start", "message": 5},
        {"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use"}},
        {"type": "message_delta", "delta": {"stop_reason": ["x"]}},
    ],
)
async def test_an_event_that_makes_no_sense_is_the_vendor_s_failure(event: dict[str, Any]) -> None:
    with pytest.raises(UpstreamError, match="makes no sense"):
        await chunks_of(event)


@pytest.mark.parametrize(
    "wrong", [{"content": None}, {"content": [{}]}, {"content": [5]}, {"stop_reason": None}, {"usage": {}}]
)
def test_an_answer_that_makes_no_sense_is_the_vendor_s_failure(wrong: dict[str, Any]) -> None:
    with pytest.raises(UpstreamError, match="makes no sense"):
        completion_of({**answer(text("a")), **wrong}, "m", "claude", has_answer_tool=False)


@pytest.mark.parametrize(
    ("event", "is_complete"),
    [
        ({"type": "message_stop"}, True),
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, True),
        ({"type": "message_delta", "delta": {"stop_reason": None}}, False),
        ({"type": "content_block_delta", "delta": {"text": '"message_stop"', "type": "message_stop"}}, False),
        ({"type": "message_start", "message": {"type": "message"}}, False),
        ({"type": "message", "content": []}, True),
    ],
)
def test_a_stream_is_complete_with_a_reason_to_stop(event: dict[str, Any], is_complete: bool) -> None:
    ending = Finished()
    ending.see(Frames.of(event).data)
    assert ending.is_complete == is_complete


def test_only_a_message_is_an_answer() -> None:
    assert as_event({"type": "ping"}) is None and as_event(answer()) is not None
