"""The inference API of llama-stack before 0.3: what a vendor is asked, and what its answers become."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream
from runtime.conformance.upstream.scripted import Said, Script, calls, says
from runtime.conformance.upstream.texts import vector_of
from tests.support import at_vendor

pytestmark = pytest.mark.asyncio(loop_scope="module")
upstream, client = at_vendor.upstream, at_vendor.client
CHAT, TEXT, VECTORS = (f"/v1/inference/{name}" for name in ("chat-completion", "completion", "embeddings"))
MODEL = f"vendor/{CHAT_MODEL}"
USER = {"role": "user", "content": "Name a colour"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
WEATHER = {"tool_name": "get_weather", "description": "Weather.", "parameters": {"city": {"param_type": "str"}}}


async def done(client: Client, path: str, body: dict[str, Any]) -> Any:
    answer = await client.post(path, body)
    assert answer.status == 200, answer.body
    return answer.json()


async def chat(client: Client, *messages: dict[str, Any], **fields: Any) -> Any:
    return await done(client, CHAT, {"model_id": MODEL, "messages": list(messages) or [USER], **fields})


async def events(client: Client, path: str, body: dict[str, Any]) -> list[Any]:
    answer = await client.post(path, {**body, "stream": True})
    assert answer.status == 200 and b"[DONE]" not in answer.body, answer.body
    return [json.loads(payload) for payload in answer.payloads()]


def asked(upstream: Upstream) -> dict[str, Any]:
    """What the vendor was asked last, without the model."""
    body = {name: value for name, value in upstream.seen[-1].json().items() if value is not None}
    assert body.pop("model") == CHAT_MODEL
    return body


async def test_an_answer_says_what_the_vendor_said(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("All ", "of it"))
    answer = await chat(client)
    message = {"role": "assistant", "content": "All of it", "stop_reason": "end_of_turn"}
    counts = (("prompt_tokens", 5), ("completion_tokens", 7), ("total_tokens", 12))
    metrics = [{"metric": name, "value": value, "unit": "tokens"} for name, value in counts]
    assert answer == {"completion_message": message, "metrics": metrics}


async def test_a_stream_begins_goes_on_and_ends_with_the_same(client: Client) -> None:
    whole = await chat(client, logprobs={"top_k": 2})
    streamed = await events(client, CHAT, {"model_id": MODEL, "messages": [USER], "logprobs": {"top_k": 2}})
    first, *middle, last = [chunk["event"] for chunk in streamed]
    assert (first["event_type"], first["delta"]) == ("start", {"type": "text", "text": ""})
    assert {event["event_type"] for event in middle} == {"progress"}
    assert "".join(event["delta"]["text"] for event in middle) == whole["completion_message"]["content"]
    assert [one for event in middle for one in event["logprobs"]] == whole["logprobs"]
    assert len(whole["logprobs"][0]["logprobs_by_token"]) == 2
    assert (last["event_type"], last["stop_reason"]) == ("complete", "end_of_turn")
    assert streamed[-1]["metrics"] == whole["metrics"]


async def test_a_call_is_told_while_it_is_written_and_whole_at_its_end(client: Client, upstream: Upstream) -> None:
    said = calls(("c1", "get_weather", '{"city": "Oslo"}'), ("c2", "get_time", "{"), ("c3", "now", ""))
    upstream.misbehaves = Script(said)
    streamed = await events(client, CHAT, {"model_id": MODEL, "messages": [USER], "tools": [WEATHER]})
    deltas = [chunk["event"]["delta"] for chunk in streamed if chunk["event"]["delta"]["type"] == "tool_call"]
    ends = [delta for delta in deltas if delta["parse_status"] in ("succeeded", "failed")]
    weather = {"call_id": "c1", "tool_name": "get_weather", "arguments": {"city": "Oslo"}}
    assert ends[0]["tool_call"] == {**weather, "arguments_json": '{"city": "Oslo"}'}
    assert [(end["parse_status"], end["tool_call"]["arguments"]) for end in ends] == [
        ("succeeded", {"city": "Oslo"}), ("failed", "{"), ("succeeded", {}),
    ]  # fmt: skip
    first = deltas[: deltas.index(ends[0])]
    assert (first[0]["parse_status"], first[0]["tool_call"]) == ("started", "")
    assert "".join(delta["tool_call"] for delta in first) == '{"city": "Oslo"}'
    assert streamed[-1]["event"]["stop_reason"] == "end_of_message"
    message = (await chat(client, tools=[WEATHER]))["completion_message"]
    assert message["tool_calls"] == [end["tool_call"] for end in ends]
    assert (message["content"], message["stop_reason"]) == ("", "end_of_message")


async def test_a_conversation_is_sent_as_chats_have_it(client: Client, upstream: Upstream) -> None:
    call = {"call_id": "c1", "tool_name": "get_weather", "arguments": {"city": "Oslo"}}
    await chat(
        client,
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?", "context": "It is May."},
        {"role": "assistant", "content": "", "stop_reason": "end_of_message", "tool_calls": [call]},
        {"role": "tool", "call_id": "c1", "tool_name": "get_weather", "content": [{"type": "text", "text": "Sun"}]},
        {"role": "user", "content": {"type": "text", "text": "And now?"}},
        tools=[WEATHER],
    )
    function = {"name": "get_weather", "arguments": '{"city":"Oslo"}'}
    assert asked(upstream)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?\nIt is May."},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}], "content": None},
        {"role": "tool", "content": [{"type": "text", "text": "Sun"}], "tool_call_id": "c1"},
        {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
    ]


@pytest.mark.parametrize("said", [{"arguments": "{bad"}, {"arguments": {}, "arguments_json": "{bad"}])
async def test_a_call_that_failed_is_sent_back_as_vendors_take_it(
    client: Client, upstream: Upstream, said: dict[str, Any]
) -> None:
    call = {"call_id": "c1", "tool_name": "f", **said}
    called = {"role": "assistant", "content": "", "stop_reason": "end_of_message", "tool_calls": [call]}
    await chat(client, called, {"role": "tool", "call_id": "c1", "content": "What?"})
    [sent] = asked(upstream)["messages"][0]["tool_calls"]
    assert sent["function"] == {"name": "f", "arguments": '{"unreadable":"{bad"}'}


async def test_images_are_sent_by_their_address_or_as_what_they_are(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("A dot"))
    there = {"type": "image", "image": {"url": {"uri": "https://app.example/a.png"}}}
    data = {"type": "image", "image": {"url": {"uri": "data:image/png,%89PNG"}}}
    await chat(client, {"role": "user", "content": [there, {"type": "image", "image": {"data": PNG}}, data]})
    urls = [part["image_url"]["url"] for part in asked(upstream)["messages"][0]["content"]]
    assert urls == ["https://app.example/a.png", f"data:image/png;base64,{PNG}", "data:image/png;base64,iVBORw=="]


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        (None, {"temperature": 0}),
        ({"strategy": {"type": "greedy"}, "max_tokens": 0}, {"temperature": 0}),
        (
            {"strategy": {"type": "top_p", "temperature": 0.5}, "max_tokens": 9, "stop": ["x"]},
            {"temperature": 0.5, "top_p": 0.95, "max_tokens": 9, "stop": ["x"]},
        ),
        (
            {"strategy": {"type": "top_k", "top_k": 3}, "repetition_penalty": 1.1},
            {"top_k": 3, "repetition_penalty": 1.1},
        ),
        ({"repetition_penalty": 1.0}, {"temperature": 0}),
    ],
)
async def test_sampling_is_what_chats_call_it(client: Client, upstream: Upstream, params: Any, sent: Any) -> None:
    upstream.misbehaves = Script(says("x"))
    await chat(client, sampling_params=params)
    given = asked(upstream)
    given.pop("messages")
    assert given == sent


async def test_tools_are_functions_with_a_schema(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("x"))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    params = {
        "city": {"param_type": "string", "description": "Which.", "required": True},
        "days": {"param_type": "int", "required": False, "default": 3},
        "of": {"param_type": "List", "required": False, "items": {"type": "string"}},
        "also": {"param_type": "Optional", "required": False},
    }
    tools = [{**WEATHER, "parameters": params}, {"tool_name": "by_schema", "input_schema": schema}]
    await chat(client, tools=[*tools, {"tool_name": "brave_search"}], tool_config={"tool_choice": "by_schema"})
    given = asked(upstream)
    first, second, third = [tool["function"] for tool in given["tools"]]
    assert first["parameters"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Which."},
            "days": {"type": "integer", "default": 3},
            "of": {"type": "array", "items": {"type": "string"}},
            "also": {},
        },
        "required": ["city"],
    }
    assert second == {"name": "by_schema", "parameters": schema}
    assert list(third["parameters"]["properties"]) == ["query"] and third["description"]
    assert given["tool_choice"] == {"type": "function", "function": {"name": "by_schema"}}


async def test_a_schema_of_the_answer_is_passed_on(client: Client, upstream: Upstream) -> None:
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
    answer = await chat(client, response_format={"type": "json_schema", "json_schema": schema})
    assert asked(upstream)["response_format"]["json_schema"]["schema"] == schema
    assert answer["completion_message"]["content"].startswith("{")


async def test_a_text_is_completed_whole_and_streamed(client: Client) -> None:
    body = {"model_id": MODEL, "content": "Once", "logprobs": {"top_k": 1}, "sampling_params": {"max_tokens": 4}}
    whole = await done(client, TEXT, body)
    streamed = await events(client, TEXT, body)
    assert "".join(event["delta"] for event in streamed) == whole["content"] and whole["content"]
    assert [one for event in streamed for one in event.get("logprobs", ())] == whole["logprobs"]
    assert (streamed[-1]["stop_reason"], streamed[-1]["metrics"]) == (whole["stop_reason"], whole["metrics"])
    assert whole["stop_reason"] in ("end_of_turn", "out_of_tokens")


async def test_texts_are_embedded_in_their_order(client: Client) -> None:
    body = {"model_id": f"vendor/{EMBEDDING_MODEL}", "contents": ["a cat", {"type": "text", "text": "a dog"}]}
    answer = await done(client, VECTORS, {**body, "text_truncation": "none"})
    assert answer["embeddings"] == [pytest.approx(vector_of(text)) for text in ("a cat", "a dog")]


@pytest.mark.parametrize("prefix", ["/v1/inference/batch-", "/v1/batch-inference/"])
async def test_a_batch_is_answered_in_its_order(client: Client, prefix: str) -> None:
    messages = [[{"role": "user", "content": f"Colour {number}"}] for number in range(20)]
    batch = (await done(client, f"{prefix}chat-completion", {"model": MODEL, "messages_batch": messages}))["batch"]
    assert batch == [await chat(client, *each) for each in messages]
    texts = (await done(client, f"{prefix}completion", {"model_id": MODEL, "content_batch": ["One", "Two"]}))["batch"]
    assert texts == [await done(client, TEXT, {"model_id": MODEL, "content": text}) for text in ("One", "Two")]


async def test_where_one_of_a_batch_fails_the_batch_does(client: Client) -> None:
    wrong = {"role": "user", "content": [{"type": "image", "image": {"data": "bm9uZQ=="}}]}
    body = {"model_id": MODEL, "messages_batch": [[USER], [wrong]]}
    answer = await client.post("/v1/inference/batch-chat-completion", body)
    assert (answer.status, answer.error["param"]) == (400, "messages_batch[1][0].content[0].image.data")


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    (CHAT, {"model_id": "none"}, 404, "model_id"),
    (CHAT, {"model_id": f"vendor/{EMBEDDING_MODEL}"}, 400, "model_id"),
    (CHAT, {"messages": []}, 400, "messages"),
    (CHAT, {"messages": [{"role": "user", "content": {"type": "image", "image": {}}}]}, 400,
     "messages[0].content.image"),
    (CHAT, {"response_format": {"type": "grammar", "bnf": {}}}, 501, "response_format.type"),
    (CHAT, {"tool_choice": "required"}, 400, "tool_choice"),
    (CHAT, {"tools": [WEATHER], "tool_config": {"tool_choice": "other"}}, 400, "tool_config.tool_choice"),
    (CHAT, {"tool_config": {"system_message_behavior": "replace"}}, 501, "tool_config.system_message_behavior"),
    (CHAT, {"tools": [{"tool_name": "f", "parameters": {"a": {"param_type": "odd"}}}]}, 400,
     "tools[0].parameters.a.param_type"),
    (CHAT, {"tools": [{"tool_name": "f", "parameters": {"a": {"param_type": "array", "items": "string"}}}]}, 400,
     "tools[0].parameters.a.items"),
    (CHAT, {"messages": [{"role": "user", "content": {"type": "image", "image": {"data": "\u00e9" * 24}}}]}, 400,
     "messages[0].content.image.data"),
    (CHAT, {"sampling_params": {"strategy": {"type": "top_p", "temperature": 3}}}, 400,
     "sampling_params.strategy.temperature"),
    (TEXT, {"content": {"type": "image", "image": {"data": PNG}}}, 501, "content"),
    (VECTORS, {"contents": ["a"], "text_truncation": "end"}, 501, "text_truncation"),
    (VECTORS, {"contents": []}, 400, "contents"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "fields", "status", "param"), REFUSED)
async def test_what_cannot_be_asked_is_refused_by_its_name_here(
    client: Client, path: str, fields: dict[str, Any], status: int, param: str
) -> None:
    usual = {CHAT: {"messages": [USER]}, TEXT: {"content": "x"}, VECTORS: {"contents": ["x"]}}[path]
    answer = await client.post(path, {"model_id": MODEL, **usual, **fields})
    assert (answer.status, answer.error["param"]) == (status, param), answer.error


async def test_what_has_no_effect_is_said(client: Client) -> None:
    answer = await client.post(CHAT, {"model_id": MODEL, "messages": [USER], "tool_prompt_format": "python_list"})
    assert answer.status == 200 and "`tool_prompt_format` has no effect" in answer.headers["x-llama-warnings"]


async def test_a_stream_that_fails_ends_with_an_error_and_without_its_end(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("All ", breaks="cut"))
    streamed = await events(client, CHAT, {"model_id": MODEL, "messages": [USER]})
    assert "error" in streamed[-1] and "complete" not in [one["event"]["event_type"] for one in streamed[:-1]]


async def told(client: Client, upstream: Upstream, said: Said) -> tuple[Any, list[Any]]:
    """The message of a whole answer, and the events of a streamed one."""
    upstream.misbehaves = Script(said)
    whole = (await chat(client, tools=[WEATHER]))["completion_message"]
    streamed = await events(client, CHAT, {"model_id": MODEL, "messages": [USER], "tools": [WEATHER]})
    return whole, [chunk["event"] for chunk in streamed]


def ended(streamed: list[Any]) -> list[Any]:
    """The whole calls of a stream."""
    return [event["delta"]["tool_call"] for event in streamed if event["delta"].get("parse_status") == "succeeded"]


def piece(index: int | None = None, id: str | None = None, name: str | None = None, arguments: str = "") -> Any:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    part = {"type": "function", "function": function} | ({"id": id} if id else {})
    return {"tool_calls": [part if index is None else {**part, "index": index}]}


@pytest.mark.parametrize(
    "deltas",
    [
        [piece(None, "a", "f", "{}"), piece(None, "b", "g", "{}")],
        [piece(0, "a", "f", "{}"), piece(0, "b", "g", "{}")],
        [piece(0, "a", "f"), piece(1, "b", "g"), piece(0, arguments="{}"), piece(1, arguments="{}")],
    ],
    ids=["without an index", "with the same", "at once"],
)
async def test_calls_of_a_stream_are_told_apart(client: Client, upstream: Upstream, deltas: list[Any]) -> None:
    upstream.misbehaves = Script(Said(deltas=deltas))
    streamed = await events(client, CHAT, {"model_id": MODEL, "messages": [USER], "tools": [WEATHER]})
    made = [(call["call_id"], call["tool_name"]) for call in ended([chunk["event"] for chunk in streamed])]
    assert made == [("a", "f"), ("b", "g")]


async def test_a_call_without_an_id_gets_one_and_waits_for_its_result(client: Client, upstream: Upstream) -> None:
    whole = {"content": None, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": None}}]}
    message, streamed = await told(client, upstream, Said(deltas=[piece(0, name="f")], whole=whole))
    for made in (message["tool_calls"], [event["delta"]["tool_call"] for event in streamed[-2:-1]]):
        assert [(call["tool_name"], call["arguments"]) for call in made] == [("f", {})]
        assert made[0]["call_id"].startswith("call_")
    assert message["stop_reason"] == streamed[-1]["stop_reason"] == "end_of_message", "though the vendor said `stop`"


async def test_text_in_parts_is_text_and_counts_that_are_not_there_are_not_told(
    client: Client, upstream: Upstream
) -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    usage = {"prompt_tokens": None, "total_tokens": 3}
    upstream.misbehaves = Script(Said(deltas=[], whole={"content": parts}, usage=usage))
    answer = await chat(client)
    assert answer["completion_message"]["content"] == "Hello"
    assert answer["metrics"] == [{"metric": "total_tokens", "value": 3, "unit": "tokens"}]


async def test_tokens_that_are_no_whole_letter_keep_their_probabilities(client: Client, upstream: Upstream) -> None:
    logprobs: list[list[Any]] = [
        [{"token": token, "logprob": -1.0, "top_logprobs": []}] for token in ("half", "other half")
    ]
    upstream.misbehaves = Script(Said(deltas=[{"content": ""}, {"content": "\u00e9"}], logprobs=logprobs))
    whole = await chat(client, logprobs={})
    streamed = await events(client, CHAT, {"model_id": MODEL, "messages": [USER], "logprobs": {}})
    assert [one for chunk in streamed for one in chunk["event"].get("logprobs", ())] == whole["logprobs"]


NO_SENSE: list[tuple[str, Any]] = [
    (CHAT, []),
    (CHAT, [{"message": {"tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]}}]),
    (CHAT, [{"message": {"content": 5}}]),
    (TEXT, []),
    (TEXT, [{"text": "a", "logprobs": {"tokens": ["a", "b"], "token_logprobs": [-1.0]}}]),
]


@pytest.mark.parametrize(("path", "choices"), NO_SENSE)
async def test_an_answer_that_makes_no_sense_is_the_vendors_failure(
    client: Client, upstream: Upstream, path: str, choices: Any
) -> None:
    async def answers(request: web.Request) -> web.StreamResponse:
        if not (await request.json()).get("stream"):
            return web.json_response({"choices": choices})
        deltas = [{**one, "delta": one.get("message")} for one in choices]
        stream = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps({"choices": deltas}).encode()
        return web.Response(body=stream, content_type="text/event-stream")

    upstream.misbehaves = answers
    for stream in (False, True):
        answer = await client.post(
            path, {"model_id": MODEL, "stream": stream, **({"messages": [USER]} if path == CHAT else {"content": "x"})}
        )
        assert b'"type":"upstream_error"' in answer.body, answer.body
        assert stream or answer.status == 502


async def test_what_a_vendor_refuses_is_named_where_it_is_in_a_batch(client: Client, upstream: Upstream) -> None:
    async def refuses(request: web.Request) -> web.StreamResponse:
        param = "messages[0].content" if "messages" in await request.json() else "prompt"
        return web.json_response({"error": {"message": "no", "param": param}}, status=400)

    upstream.misbehaves = refuses
    for path, those, place in (
        ("chat-completion", {"messages_batch": [[USER]]}, "messages_batch[0][0].content"),
        ("completion", {"content_batch": ["x"]}, "content_batch[0]"),
    ):
        answer = await client.post(f"/v1/inference/batch-{path}", {"model_id": MODEL, **those})
        assert answer.error["param"] == place
