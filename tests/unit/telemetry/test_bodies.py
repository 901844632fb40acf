"""What was said is told where it is asked for: in the form of the conventions, masked, and no longer than may be."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from runtime.apis._api import Api
from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest
from runtime.apis.responses import API as RESPONSES
from runtime.apis.responses.protocol import CreateResponseRequest
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.sse import DONE, EventStream, Frames, Reply
from runtime.telemetry.bodies.asked_for import VARIABLE, are_asked_for
from runtime.telemetry.bodies.room import MOST_BYTES
from runtime.telemetry.calls import TracedCalls
from runtime.telemetry.spans import Span, inside
from tests.support.stacks import openai_at
from tests.unit.telemetry._seen import Exported, Seen

INPUT, OUTPUT, CUT = "gen_ai.input.messages", "gen_ai.output.messages", "llama_stack.cut"


class Answers:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def chat_completion(self, request: Any) -> Any:
        return self._answer

    async def completion(self, request: Any) -> Any:
        return self._answer

    async def create_response(self, request: Any) -> Any:
        return self._answer


def stream(*events: Any) -> EventStream:
    async def frames() -> AsyncGenerator[Frames, None]:
        for one in events:
            yield one if isinstance(one, Frames) else Frames.of(one)

    async def close() -> None:
        pass

    return EventStream(frames(), close)


async def span_of(api: Api, request: Any, answer: Any, *, tells: bool = True, leaves_after: int | None = None) -> Span:
    """leaves_after: how many reads of a stream."""
    seen = Seen()
    door = TracedCalls(api, "mine", "inline::builtin", is_remote=False, tells_bodies=tells).door(Answers(answer))
    with inside(seen.begin()):
        operation = door.chat_completion if api is INFERENCE else door.create_response
        if isinstance(request, CompletionRequest):
            operation = door.completion
        found = await operation(request)
        if isinstance(found, EventStream):
            number = 0
            async for _ in found:
                number += 1
                if number == leaves_after:
                    break
            await found.aclose()
    return seen.spans[-1]


def said(span: Span, name: str) -> Any:
    value = span.attributes[name]
    assert isinstance(value, str)
    return json.loads(value)


def chat(*messages: Any, **facts: Any) -> ChatCompletionRequest:
    given = [one if isinstance(one, dict) else {"role": "user", "content": one} for one in messages]
    return ChatCompletionRequest.model_validate({"model": "m", "messages": given, **facts})


CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"api_key":"sk-1","at":"sky"}'}}
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hum"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True), ("True", True), ("SPAN_ONLY", True), ("span_and_event", True),
        ("EVENT_ONLY", False), ("NO_CONTENT", False), ("false", False), ("", False), ("yes please", False),
    ],
)  # fmt: skip
def test_the_environment_asks_for_it(value: str, expected: bool) -> None:
    assert are_asked_for({VARIABLE: value}) is expected
    assert are_asked_for({}) is False


async def test_by_default_nothing_is_said() -> None:
    span = await span_of(INFERENCE, chat("secret"), Reply.of(ANSWER), tells=False)
    assert not {INPUT, OUTPUT, CUT} & span.attributes.keys()


async def test_a_chat_is_said_in_roles_and_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    inline = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    messages = (
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "what is it"}, image, inline]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"found": 1, "password": "x"}'},
    )
    span = await span_of(INFERENCE, chat(*messages), Reply.of(ANSWER))
    assert said(span, INPUT) == [
        {"role": "system", "parts": [{"type": "text", "content": "be kind"}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "what is it"},
                {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
                {"type": "blob", "modality": "image", "content": ""},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {
                    "type": "tool_call",
                    "id": "call_1",
                    "name": "look",
                    "arguments": {"api_key": "********", "at": "sky"},
                }
            ],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "call_1", "response": {"found": 1, "password": "********"}}],
        },
    ]
    hum = [{"role": "assistant", "parts": [{"type": "text", "content": "hum"}], "finish_reason": "stop"}]
    assert said(span, OUTPUT) == hum and CUT not in span.attributes


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("leaves_after", "text", "finish"), [(None, "They hum.", "stop"), (2, "They ", None)], ids=["whole", "left"]
)
async def test_of_a_stream_what_came_is_said(leaves_after: int | None, text: str, finish: str | None) -> None:
    answer = stream(chunk(role="assistant"), chunk(content="They "), chunk(content="hum."), chunk("stop"), Frames(DONE))
    span = await span_of(INFERENCE, chat("what", stream=True), answer, leaves_after=leaves_after)
    assert said(span, OUTPUT) == [
        {"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": finish}
    ]


@pytest.mark.parametrize("answer", [stream(Frames(b"data: {oops\n\n")), Reply(b"{oops"), Reply(b"3")])
async def test_what_makes_no_sense_is_left_out(answer: Any) -> None:
    span = await span_of(INFERENCE, chat("what"), answer)
    assert OUTPUT not in span.attributes and said(span, INPUT)


async def test_secrets_are_masked_before_a_text_is_cut() -> None:
    url = "https://ann:hunter2@example.com/x?api_key=abc"
    span = await span_of(INFERENCE, chat(f"see {url} and password=hunter2"), Reply.of(ANSWER))
    [message] = said(span, INPUT)
    assert "hunter2" not in str(message) and "abc" not in str(message) and "example.com" in str(message)
    filled = "x" * (MOST_BYTES - 20) + f" {url}"
    span = await span_of(INFERENCE, chat(filled), Reply.of(ANSWER))
    assert "hunter" not in str(span.attributes[INPUT]) and "ann" not in str(span.attributes[INPUT])


async def test_the_latest_messages_are_said_where_there_are_too_many() -> None:
    messages = [f"{number} " + "é" * 10_000 for number in range(9)]
    span = await span_of(INFERENCE, chat(*messages), Reply.of(ANSWER))
    kept = [one["parts"][0]["content"] for one in said(span, INPUT)]
    assert [text[0] for text in kept] == ["5", "6", "7", "8"]
    assert kept[0].endswith(" more characters]") and len(kept[0]) < 10_000
    assert span.attributes[CUT] == [INPUT]
    assert len(str(span.attributes[INPUT]).encode()) < MOST_BYTES + 1000
    long = {"choices": [{"message": {"content": "y" * 300_000}, "finish_reason": "stop"}]}
    span = await span_of(INFERENCE, chat(*messages), Reply.of(long))
    assert span.attributes[CUT] == [INPUT, OUTPUT]


LONG, LONGISH, ESCAPED = "n" * 200_000, "n" * 1000, "\x01" * 60_000
HEAPS: dict[str, list[dict[str, Any]]] = {
    "many messages": [{"role": "user", "content": ""}] * 20_000,
    "many parts": [{"role": "user", "content": [{"type": "text", "text": ""}] * 20_000}],
    "parts of an unknown type": [{"role": "user", "content": [{"type": LONGISH}] * 1000}],
    "a long id": [{"role": "tool", "tool_call_id": LONG, "content": "x"}],
    "a long name": [{"role": "assistant", "tool_calls": [{**CALL, "function": {"name": LONG, "arguments": "{}"}}]}],
    "many calls": [{"role": "assistant", "tool_calls": [CALL] * 20_000}],
    "a text that grows": [{"role": "user", "content": ESCAPED}],
    "a value that grows": [{"role": "tool", "tool_call_id": "1", "content": ESCAPED}],
}


@pytest.mark.parametrize("messages", HEAPS.values(), ids=HEAPS)
async def test_an_attribute_is_no_longer_than_may_be(messages: list[dict[str, Any]]) -> None:
    request = chat("what").model_copy(update={"messages": messages})
    answer = {"choices": [{"message": one, "finish_reason": LONG} for one in messages[:3]]}
    span = await span_of(INFERENCE, request, Reply.of(answer))
    assert said(span, INPUT)
    for name in (INPUT, OUTPUT):
        assert len(str(span.attributes[name]).encode()) < MOST_BYTES + 1000
        assert name in span.attributes[CUT]


async def test_so_is_why_a_text_ended() -> None:
    request = CompletionRequest.model_validate({"model": "m", "prompt": "what"})
    answer = {"choices": [{"index": 0, "text": "a", "finish_reason": f"password=hunter22 {LONG}"}]}
    span = await span_of(INFERENCE, request, Reply.of(answer))
    [output] = said(span, OUTPUT)
    assert len(output["finish_reason"]) <= 200 and "hunter22" not in output["finish_reason"]


async def test_the_items_of_a_response_are_no_longer_than_may_be() -> None:
    given = [{"type": "function_call", "call_id": LONG, "name": LONG, "arguments": "{}"}]
    given += [{"type": f"{LONGISH}_call", "id": "1"}, {"type": "message", "role": LONGISH, "content": "x"}] * 1000
    request = CreateResponseRequest.model_validate({"model": "m", "input": "x"}).model_copy(update={"input": given})
    span = await span_of(RESPONSES, request, Reply.of({"output": given}))
    for name in (INPUT, OUTPUT):
        assert len(str(span.attributes[name]).encode()) < MOST_BYTES + 1000
        assert name in span.attributes[CUT]


async def test_no_secret_is_told_as_a_name() -> None:
    call = {"id": "password=hunter2", "function": {"name": "https://ann:hunter2@example.com", "arguments": "{}"}}
    messages = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "password=hunter2"}]
    span = await span_of(INFERENCE, chat("what").model_copy(update={"messages": messages}), Reply.of(ANSWER))
    assert "hunter2" not in str(span.attributes[INPUT]) and "example.com" in str(span.attributes[INPUT])


RESPONSE = {
    "id": "resp_1",
    "status": "completed",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["q"]},
        {"type": "mcp_call", "id": "mcp_1", "name": "look", "arguments": '{"at":1}', "output": "grass"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "They hum."}]},
    ],
}
SAID = [
    {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]},
    {
        "role": "assistant",
        "parts": [
            {
                "type": "server_tool_call",
                "id": "fs_1",
                "name": "file_search",
                "server_tool_call": {"type": "file_search_call"},
            }
        ],
    },
    {
        "role": "assistant",
        "parts": [
            {"type": "tool_call", "id": "mcp_1", "name": "look", "arguments": {"at": 1}},
            {"type": "tool_call_response", "id": "mcp_1", "response": "grass"},
        ],
    },
    {"role": "assistant", "parts": [{"type": "text", "content": "They hum."}]},
]


@pytest.mark.parametrize("streams", [False, True])
async def test_a_response_is_said_with_its_instructions(streams: bool) -> None:
    given = [
        {"role": "user", "content": [{"type": "input_text", "text": "what"}]},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "grass"},
    ]
    request = CreateResponseRequest.model_validate(
        {"model": "m", "input": given, "instructions": "be kind", "stream": streams}
    )
    answer = stream({"type": "response.completed", "response": RESPONSE}) if streams else Reply.of(RESPONSE)
    span = await span_of(RESPONSES, request, answer)
    assert said(span, "gen_ai.system_instructions") == [{"type": "text", "content": "be kind"}]
    assert said(span, INPUT) == [
        {"role": "user", "parts": [{"type": "text", "content": "what"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "look", "arguments": {}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "grass"}]},
    ]
    assert said(span, OUTPUT) == SAID
    assert span.attributes["llama_stack.response.status"] == "completed"


@pytest.mark.parametrize("value", ["true", None])
async def test_a_stack_tells_it_where_its_environment_asks(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, value)
    upstream.models = ["chat"]
    telemetry = [{"provider_id": "builtin", "provider_type": "inline::builtin"}]
    run = run_config(providers={"inference": [openai_at(upstream.url)], "telemetry": telemetry})
    async with serving(run, tmp_path) as served:
        exported = await Exported.of(served.stack)
        body = {"model": "vendor/chat", "messages": [{"role": "user", "content": "what"}]}
        assert (await served.client.post("/v1/chat/completions", body)).status == 200
        spans = await exported.spans()
    assert len(spans) == 3
    assert ('"content":"what"' in str([span.attributes for span in spans])) is (value is not None)


@pytest.mark.parametrize("streams", [False, True])
async def test_a_completion_says_its_prompts_and_texts(upstream: Upstream, tmp_path: Path, streams: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "true")
        providers = {
            "inference": [openai_at(upstream.url)],
            "telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
        }
        async with serving(run_config(providers=providers), tmp_path) as served:
            exported = await Exported.of(served.stack)
            body = {"model": "vendor/small-chat", "prompt": "Once upon", "stream": streams}
            answered = await served.client.post("/v1/completions", body)
            assert answered.status == 200, answered.body
            events = answered.events() if streams else [answered.json()]
            [span] = [one for one in await exported.spans() if one.name.startswith("text_completion")]
    text = "".join(one["choices"][0]["text"] for one in events if one["choices"])
    [output] = said(span, OUTPUT)
    assert said(span, INPUT) == [{"role": "user", "parts": [{"type": "text", "content": "Once upon"}]}]
    assert (output["role"], output["parts"]) == ("assistant", [{"type": "text", "content": text}]) and text
    assert output["finish_reason"] in ("stop", "length")


async def test_of_a_completion_each_choice_is_put_together_and_tokens_are_not_said() -> None:
    def event(index: int, text: str, reason: str | None = None) -> dict[str, Any]:
        return {"choices": [{"index": index, "text": text, "finish_reason": reason}]}

    answer = stream(event(1, "b"), event(0, "a"), event(1, "B", "stop"), event(0, "A"), Frames(DONE))
    request = CompletionRequest.model_validate({"model": "m", "prompt": [1, 2], "stream": True})
    span = await span_of(INFERENCE, request, answer)
    assert said(span, INPUT) == [{"role": "user", "parts": [{"type": "tokens"}]}]
    assert [(one["parts"][0]["content"], one["finish_reason"]) for one in said(span, OUTPUT)] == [
        ("aA", None),
        ("bB", "stop"),
    ]
