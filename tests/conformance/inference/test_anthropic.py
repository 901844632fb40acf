"""What Anthropic has in its own form, asked through OpenAI's. https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.apis.inference.abilities import AbilitiesRequest
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import adapter_of, run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream, started_stream, upstream_server
from tests.conformance.inference.at_vendor import HI, SPECS, TOOLS, at, chat
from tests.conformance.inference.vendor import vendor_of
from tests.conformance.inference.vendors.anthropic import Anthropic

CHATS = "/v1/chat/completions"
SIGNED = {"type": "thinking", "thinking": "", "signature": "c2lnbmF0dXJl"}
BUSY = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_7"}


def sent(upstream: Upstream) -> Any:
    """The body of the last request, as Anthropic has it."""
    return upstream.seen[-1].json()


def messages(*turns: tuple[str, Any]) -> list[Any]:
    return [{"role": role, "content": content} for role, content in turns]


def events(*some: dict[str, Any]) -> bytes:
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in some)


STARTED = {"type": "message_start", "message": {"id": "msg_9", "usage": {"input_tokens": 5, "output_tokens": 1}}}
TEXT = [
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}},
]


async def test_the_documented_request_is_sent(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        assert (await client.post(CHATS, chat(temperature=0.5))).status == 200
        seen = upstream.seen[-1]
        assert (seen.method, seen.path) == ("POST", "/v1/messages")
        assert seen.headers["x-api-key"] == upstream.key and seen.headers["anthropic-version"] == "2023-06-01"
        assert "authorization" not in seen.headers
        content = [{"type": "text", "text": "Say JSON."}]
        turns = [{"role": "user", "content": content}]
        assert sent(upstream) == {"model": CHAT_MODEL, "messages": turns, "max_tokens": 5, "temperature": 0.5}


@pytest.mark.parametrize("more", ["", "/"])
async def test_an_older_config_means_the_same(tmp_path: Path, more: str) -> None:
    vendor = vendor_of(SPECS["anthropic"])
    async with upstream_server(make=vendor.make) as upstream:
        upstream.key = vendor.key
        settings = {"base_url": upstream.url + more, "api_key": vendor.key, "allowed_models": [CHAT_MODEL]}
        settings |= {"refresh_models": False, "network": {"max_retries": 0}}
        provider = {"provider_id": "vendor", "provider_type": "remote::anthropic", "config": settings}
        async with serving(run_config(provider), tmp_path) as served:
            assert (await served.client.post(CHATS, chat())).status == 200
            listed = (await served.client.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == [f"vendor/{CHAT_MODEL}"]
        assert upstream.seen[-1].path == "/v1/messages"


async def test_an_address_without_a_path_gets_that_of_the_version(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (_, upstream):
        address = upstream.url.removesuffix("/v1")
        provider = {
            "provider_id": "vendor", "provider_type": "remote::anthropic",
            "config": {"base_url": address, "api_key": upstream.key},
        }  # fmt: skip
        async with serving(run_config(provider), tmp_path) as served:
            assert (await served.client.post(CHATS, chat())).status == 200


async def test_a_caller_s_key_goes_before_the_configured_one(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path, api_key="sk-other") as (client, upstream):
        refused = await client.post(CHATS, chat())
        assert (refused.status, refused.error["code"]) == (502, "upstream_refused_key")
        brought = {"x-llamastack-provider-data": json.dumps({"anthropic_api_key": upstream.key})}
        answer = await client.post(CHATS, chat(), headers=brought)
        assert answer.status == 200, answer.body


async def test_models_are_listed_page_by_page_with_what_they_can(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        assert isinstance(upstream, Anthropic)
        whole = (await client.get("/v1/models")).json()["data"]
        assert {"vendor/claude-opus-5-5", f"vendor/{CHAT_MODEL}"} <= {model["id"] for model in whole}
        upstream.page = 3
        found = {"provider_id": "vendor", "provider_type": "remote::anthropic"}
        config = {"base_url": upstream.url, "api_key": upstream.key}
        async with serving(run_config(found | {"config": config}), tmp_path / "paged") as served:
            paged = (await served.client.get("/v1/models")).json()["data"]
        assert {model["id"] for model in paged} == {model["id"] for model in whole}
        lists = [seen.query for seen in upstream.calls("/models")]
        assert "limit=1000&after_id=small-embed" not in lists and "limit=1000&after_id=claude-fable-5-1" in lists
        told = {model["id"]: model["custom_metadata"] for model in paged}[f"vendor/{CHAT_MODEL}"]
        assert (told["context_length"], told["max_output_tokens"]) == (10000, 8000)
        assert told["input_modalities"] == ["text", "image", "file"]


@pytest.mark.parametrize(
    ("model", "most", "is_told"),
    [(CHAT_MODEL, 8000, False), ("claude-opus-4-5", 8000, False), ("unlisted", 4096, True)],
)
async def test_an_answer_may_be_as_long_as_the_model_can(tmp_path: Path, model: str, most: int, is_told: bool) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        upstream.models.append("unlisted")
        registered = {"model_id": "unlisted", "provider_id": "vendor", "model_type": "llm"}
        assert (await client.post("/v1/models", registered)).status == 200
        body = {name: value for name, value in chat().items() if name != "max_tokens"}
        answer = await client.post(CHATS, {**body, "model": f"vendor/{model}" if not is_told else model})
        assert (answer.status, sent(upstream)["max_tokens"]) == (200, most), answer.body
        assert ("`max_tokens` was not given" in answer.headers.get("x-llama-warnings", "")) == is_told


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "told", "warned"),
    [
        ("claude-opus-5-5", "high", {"type": "adaptive", "display": "summarized"}, "high", ""),
        ("claude-opus-4-6", "xhigh", {"type": "adaptive", "display": "summarized"}, "high", "was changed to `high`"),
        ("claude-haiku-4-5", "high", {"type": "enabled", "budget_tokens": 4000}, None, ""),
        ("claude-opus-4-5", "low", {"type": "enabled", "budget_tokens": 1024}, "low", ""),
        ("claude-sonnet-5", "none", {"type": "disabled"}, None, ""),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None, ""),
        ("claude-fable-5-1", "none", None, "low", "was raised to `low`"),
    ],
)
async def test_effort_is_told_as_the_model_has_it(
    tmp_path: Path, model: str, effort: str, thinking: Any, told: str | None, warned: str
) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        body = {**chat(reasoning_effort=effort, max_tokens=8000), "model": f"vendor/{model}"}
        answer = await client.post(CHATS, body)
        assert answer.status == 200, answer.body
        assert sent(upstream).get("thinking") == thinking
        assert sent(upstream).get("output_config", {}).get("effort") == told
        assert warned in answer.headers.get("x-llama-warnings", "")


@pytest.mark.parametrize("model", ["claude-haiku-5-5", "claude-haiku-4-5", "claude-opus-4-6", CHAT_MODEL])
async def test_every_model_takes_what_openai_s_clients_send(tmp_path: Path, model: str) -> None:
    async with at("anthropic", tmp_path) as (client, _):
        for fields in ({"temperature": 0, "top_p": 1}, {"temperature": 0.2, "top_p": 0.5, "reasoning_effort": "low"}):
            body = {**chat(max_tokens=3000, tools=TOOLS, **fields), "model": f"vendor/{model}"}
            answer = await client.post(CHATS, body)
            assert answer.status == 200, answer.body


async def test_a_model_that_cannot_be_forced_to_call_is_not_asked_to(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        for fields in ({"tool_choice": "required", "tools": TOOLS}, {"response_format": {"type": "json_object"}}):
            answer = await client.post(CHATS, {**chat(**fields), "model": "vendor/claude-opus-5-5"})
            assert (answer.status, answer.error["code"]) == (400, "unsupported_parameter")
        assert upstream.calls("/messages") == []


@pytest.mark.parametrize("stream", [False, True])
async def test_thinking_goes_back_with_its_call_and_the_tools_are_read(tmp_path: Path, stream: bool) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        body = chat(tools=TOOLS, reasoning_effort="high", max_tokens=4000)
        message = await said(client, body, stream=stream)
        assert message["reasoning_content"]
        thought = {"type": "thinking", "thinking": message["reasoning_content"], "signature": "c2lnbmF0dXJl"}
        [call] = message["tool_calls"]
        assert call["extra_content"] == {"anthropic": {"blocks": [thought]}}
        result = {"role": "tool", "tool_call_id": call["id"], "content": "result 0"}
        again = await said(client, {**body, "messages": [*HI, message, result], "tool_choice": "auto"}, stream=stream)
        assert "result 0" in again["content"]
        [_, assistant, user] = sent(upstream)["messages"]
        assert [block["type"] for block in assistant["content"]] == ["thinking", "tool_use"]
        assert assistant["content"][0] == thought
        text = [{"type": "text", "text": "result 0"}]
        assert user["content"] == [{"type": "tool_result", "tool_use_id": call["id"], "content": text}]


async def said(client: Client, body: dict[str, Any], *, stream: bool) -> Any:
    """The message of an answer, put together as OpenAI's clients do where it was streamed."""
    answer = await client.post(CHATS, {**body, "stream": stream})
    assert answer.status == 200, answer.body
    if not stream:
        return answer.json()["choices"][0]["message"]
    message: dict[str, Any] = {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": []}
    for delta in (event["choices"][0]["delta"] for event in answer.events()):
        for name in ("content", "reasoning_content"):
            message[name] += delta.get(name) or ""
        for piece in delta.get("tool_calls") or ():
            if piece["index"] == len(message["tool_calls"]):
                message["tool_calls"].append({**piece, "function": dict(piece["function"])})
            else:
                message["tool_calls"][-1]["function"]["arguments"] += piece["function"]["arguments"]
        message |= {name: delta[name] for name in ("extra_content", "annotations") if name in delta}
    return message


async def test_a_turn_whose_thoughts_the_client_has_lost_goes_on_without_thinking(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        call = {"id": "call.1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
        turns = [*HI, {"role": "assistant", "content": None, "tool_calls": [call]}]
        turns += [{"role": "tool", "tool_call_id": "call.1", "content": "3"}, *HI]
        body = {**chat(messages=turns, tools=TOOLS, reasoning_effort="high", max_tokens=4000)}
        answer = await client.post(CHATS, {**body, "model": "vendor/claude-haiku-4-5"})
        assert answer.status == 200, answer.body
        assert (
            "thinking" not in sent(upstream)
            and "`reasoning_effort` has no effect" in answer.headers["x-llama-warnings"]
        )
        assert [block["type"] for block in sent(upstream)["messages"][-1]["content"]] == ["tool_result", "text"]


async def test_what_a_system_says_later_stays_where_the_model_reads_it_there(tmp_path: Path) -> None:
    late = messages(("user", "Say JSON."), ("system", "Be brief."))
    async with at("anthropic", tmp_path) as (client, upstream):
        answer = await client.post(CHATS, {**chat(messages=late), "model": "vendor/claude-opus-5-5"})
        assert (answer.status, "x-llama-warnings" in answer.headers) == (200, False), answer.body
        assert [message["role"] for message in sent(upstream)["messages"]] == ["user", "system"]
        before = messages(("user", "Hi."), ("assistant", "Ho."), ("system", "Be brief."), ("user", "Say JSON."))
        answer = await client.post(CHATS, {**chat(messages=before), "model": "vendor/claude-opus-5-5"})
        assert "system messages are moved to the front" in answer.headers["x-llama-warnings"]
        assert sent(upstream)["system"] == [{"type": "text", "text": "Be brief."}]


async def test_betas_are_named_in_their_header(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        assert (await client.post(CHATS, chat(betas=["a-2026-01-01", "b"]))).status == 200
        assert upstream.seen[-1].headers["anthropic-beta"] == "a-2026-01-01,b"
        answer = await client.post(CHATS, chat(betas=["a\r\nx: y"]))
        assert (answer.status, answer.error["param"]) == (400, "betas")


async def test_a_field_that_nobody_knows_reaches_anthropic_which_refuses_it(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        answer = await client.post(CHATS, chat(vendor_thing={"a": [1, None, "é"]}))
        assert sent(upstream)["vendor_thing"] == {"a": [1, None, "é"]}
        assert (answer.status, answer.error["message"]) == (
            400, "`vendor` answered 400: vendor_thing: Extra inputs are not permitted",
        )  # fmt: skip


async def test_tokens_are_counted_by_anthropic_before_it_answers(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        tools = [{"type": "function", "name": "add", "parameters": {"type": "object"}}]
        body = {"model": f"vendor/{CHAT_MODEL}", "input": "one two three", "instructions": "Be brief.", "tools": tools}
        answer = await client.post("/v1/responses/input_tokens", body)
        assert (answer.status, answer.json()["input_tokens"]) == (200, 5), answer.body
        assert upstream.seen[-1].path == "/v1/messages/count_tokens"


@pytest.mark.parametrize(
    ("address", "model", "is_held"),
    [
        ("https://api.anthropic.com/v1", "claude-opus-5-5", True),
        ("https://api.anthropic.com/v1", "claude-3-haiku-20240307", False),
        ("http://127.0.0.1:9/v1", "claude-opus-5-5", False),
    ],
)
async def test_only_anthropic_itself_is_known_to_hold_calls_to_a_schema(
    tmp_path: Path, address: str, model: str, is_held: bool
) -> None:
    config = {"base_url": address, "api_key": "sk", "allowed_models": [model]}
    provider = {"provider_id": "vendor", "provider_type": "remote::anthropic", "config": config}
    async with serving(run_config(provider), tmp_path, settled=False) as served:
        found = await adapter_of(served.stack, "inference").get_abilities(AbilitiesRequest(model=model))
    assert (found.strict_functions, found.custom_tools) == (is_held, False)


@pytest.mark.parametrize(
    ("status", "kind", "ours", "waits"),
    [(429, "rate_limit_error", 429, True), (529, "overloaded_error", 503, False), (500, "api_error", 502, False)],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_keeps_its_words_its_wait_and_its_request_id(
    tmp_path: Path, status: int, kind: str, ours: int, waits: bool, stream: bool
) -> None:
    async def busy(request: web.Request) -> web.StreamResponse:
        error = {"type": "error", "error": {"type": kind, "message": "Not now."}, "request_id": "req_7"}
        wait = {"retry-after": "46"} if waits else {}
        return web.json_response(error, status=status, headers={"request-id": "req_7", **wait})

    async with at("anthropic", tmp_path, network={"max_retries": 0}) as (client, upstream):
        upstream.misbehaves = busy
        answer = await client.post(CHATS, chat(stream=stream))
        assert (answer.status, answer.error["type"]) == (ours, kind)
        assert "Not now." in answer.error["message"] and answer.headers["x-llama-upstream-request-id"] == "req_7"
        assert answer.headers.get("retry-after") == ("46" if waits else None)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_without_messages_is_said_to_be_of_another_provider(tmp_path: Path, stream: bool) -> None:
    """As a proxy that has only OpenAI's protocol, which Claude was asked by before."""

    async def missing(request: web.Request) -> web.StreamResponse:
        return web.json_response({"detail": "Not Found"}, status=404)

    async def unknown(request: web.Request) -> web.StreamResponse:
        error = {"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}
        return web.json_response(error, status=404)

    async with at("anthropic", tmp_path, network={"max_retries": 0}) as (client, upstream):
        upstream.misbehaves = missing
        answer = await client.post(CHATS, chat(stream=stream))
        assert answer.status == 404 and "`remote::passthrough`" in answer.error["message"]
        assert f"{upstream.url}/messages" in answer.error["message"]
        upstream.misbehaves = unknown
        answer = await client.post(CHATS, chat(stream=stream))
        assert answer.status == 404 and "passthrough" not in answer.error["message"]


@pytest.mark.parametrize(("before", "status"), [(b"", 503), (events(STARTED, *TEXT), 200)])
async def test_an_error_in_a_stream_is_a_status_before_it_has_begun_and_an_event_after(
    tmp_path: Path, before: bytes, status: int
) -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(before + events(BUSY))
        return answer

    async with at("anthropic", tmp_path) as (client, upstream):
        upstream.misbehaves = fails
        answer = await client.post(CHATS, chat(stream=True))
        assert answer.status == status
        if status == 200:
            payloads = answer.payloads()
            assert '"half"' in payloads[-2] and json.loads(payloads[-1])["error"]["type"] == "overloaded_error"
        else:
            assert answer.error["type"] == "overloaded_error" and "Overloaded" in answer.error["message"]


async def test_a_stream_without_a_reason_to_stop_is_broken_off(tmp_path: Path) -> None:
    async def ends_early(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(events(STARTED, *TEXT))
        return answer

    async with at("anthropic", tmp_path) as (client, upstream):
        upstream.misbehaves = ends_early
        payloads = (await client.post(CHATS, chat(stream=True))).payloads()
        assert '"half"' in payloads[-2] and "upstream_incomplete" in payloads[-1]


async def test_a_server_that_does_not_stream_is_streamed(tmp_path: Path) -> None:
    async def whole(request: web.Request) -> web.StreamResponse:
        content = [SIGNED, {"type": "text", "text": "all of it"}]
        message = {"type": "message", "id": "msg_1", "content": content, "stop_reason": "end_turn",
                   "usage": {"input_tokens": 3, "output_tokens": 4}}  # fmt: skip
        return web.json_response(message)

    async with at("anthropic", tmp_path) as (client, upstream):
        upstream.misbehaves = whole
        body = chat(stream=True, stream_options={"include_usage": True})
        [chunk, usage] = (await client.post(CHATS, body)).events()
        assert chunk["choices"][0]["delta"]["content"] == "all of it"
        assert usage["usage"]["total_tokens"] == 7


@asynccontextmanager
async def leaving(client: Client, upstream: Upstream) -> AsyncIterator[None]:
    """A client that leaves its stream after the first event; within it, the vendor has not noticed."""
    upstream.gate.clear()
    call = client.call("POST", CHATS, body=json.dumps(chat(stream=True)).encode())
    assert (await call.start())[0] == 200 and await call.chunk()
    await call.leave()
    yield
    async with asyncio.timeout(20):
        await upstream.ended_early.wait()
    upstream.gate.set()


async def test_a_client_that_leaves_ends_the_call_and_others_go_on(tmp_path: Path) -> None:
    async with at("anthropic", tmp_path) as (client, upstream):
        async with leaving(client, upstream):
            assert (await client.post(CHATS, chat())).status == 200
        assert (await client.post(CHATS, chat(stream=True))).events()


async def test_a_huge_result_of_a_tool_is_sent_on(tmp_path: Path) -> None:
    got: list[int] = []

    async def sized(request: web.Request) -> web.StreamResponse:
        got.append(len(await request.read()))
        return web.json_response(
            {"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}
        )

    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    turns = [
        *HI,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "é" * 4_000_000},
    ]
    async with at("anthropic", tmp_path) as (client, upstream):
        upstream.misbehaves = sized
        answer = await client.post(CHATS, chat(messages=turns, tools=TOOLS))
        assert (answer.status, answer.json()["choices"][0]["message"]["content"]) == (200, "")
        assert got[0] > 8_000_000
