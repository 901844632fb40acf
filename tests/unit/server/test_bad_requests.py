"""What a request that is wrong gets, whatever is wrong with it: a status, and the field, in OpenAI's shape."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from tests.support.stacks import openai_at

CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """Of one stack for all of them, whose provider cannot be reached: nothing here is to get as far."""
    state_dir = tmp_path_factory.mktemp("state")
    async with serving(run_config(openai_at("http://127.0.0.1:9/v1")), state_dir, settled=False) as served:
        yield served.client


def chat(**fields: Any) -> bytes:
    return json.dumps({"model": "vendor/m", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def with_message(message: Any) -> bytes:
    return chat(messages=[message])


def with_tool(parameters: Any) -> bytes:
    return chat(tools=[{"type": "function", "function": {"name": "f", "parameters": parameters}}])


def with_schema(schema: Any) -> bytes:
    return chat(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"nonsense", None, "not JSON"),
        (b"", "model", "`messages`: is missing"),
        (b"[1]", None, "not an object"),
        (b'{"model": "m", "messages": [}', None, "not JSON"),
        (b'{"messages": [{"role": "user", "content": "hi"}]}', "model", "is missing"),
        (chat(model=5), "model", "string"),
        (chat(messages="hi"), "messages", "array"),
        (chat(messages=[]), "messages", "at least 1"),
        (chat(temperature="hot"), "temperature", "number"),
        (chat(temperature=3), "temperature", "at most 2"),
        (chat(n=0), "n", "at least 1"),
        (chat(stream="perhaps"), "stream", "true or false"),
        (chat(stop=5), "stop", "string"),
        (chat(max_tokens="5"), "max_tokens", "a whole number"),
        (chat(n=True), "n", "a whole number"),
        (chat(stream=1), "stream", "true or false"),
        (with_message("hi"), "messages[0]", "object"),
        (with_message({"role": "wizard", "content": "hi"}), "messages[0].role", "`assistant`"),
        (with_message({"content": "hi"}), "messages[0].role", "is missing"),
        (with_message({"role": "user", "content": 5}), "messages[0].content", "string"),
        (with_message({"role": "user", "content": [{"type": "text"}]}), "messages[0].content[0].text", "is missing"),
        (with_message({"role": "tool", "content": "hi"}), "messages[0].tool_call_id", "is missing"),
        (with_tool({"type": "objekt"}), "tools[0].function.parameters.type", "not a valid JSON Schema"),
        (
            with_schema({"properties": {"a": {"type": 7}}}),
            "response_format.json_schema.schema.properties.a.type",
            "not a valid JSON Schema",
        ),
        (
            chat(response_format={"type": "json_object", "schema": {"properties": [1]}}),
            "response_format.schema.properties",
            "not a valid JSON Schema",
        ),
        (chat(response_format={"type": "json_object", "schema": 5}), "response_format.schema", "object"),
        (with_tool({"type": "x" * 9000}), "tools[0].function.parameters.type", "x\u2026"),
        (with_tool({"type": ["x"] * 9000}), "tools[0].function.parameters", "larger than 32768 bytes"),
        (
            with_tool({"$schema": "https://json-schema.org/draft/2020-12/of-a-caller", "type": 5}),
            "tools[0].function.parameters.type",
            "not a valid JSON Schema",
        ),
    ],
    ids=lambda value: value.decode()[:60] if isinstance(value, bytes) else "",
)
async def test_a_wrong_body_names_its_field(client: Client, body: bytes, param: str | None, words: str) -> None:
    answer = await client.request("POST", CHAT, headers=JSON, body=body)
    assert (answer.status, answer.error["type"], answer.error["param"]) == (400, "invalid_request_error", param)
    assert words in answer.error["message"]


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"content-type": "multipart/form-data; boundary=x"}, 415, "only JSON is accepted here"),
        ({"content-type": "application/xml"}, 415, "only JSON is accepted here"),
        ({"content-type": "application/json; charset=utf-16"}, 415, "JSON must be UTF-8"),
        ({**JSON, "content-encoding": "br"}, 415, "gzip or deflate"),
        ({**JSON, "content-encoding": "gzip"}, 400, "content-encoding: gzip"),
        ({**JSON, "content-length": "99999999999"}, 413, "larger than"),
        ({**JSON, "x-llamastack-provider-data": "{"}, 400, "X-LlamaStack-Provider-Data"),
    ],
)
async def test_what_a_body_is_sent_as_matters(client: Client, headers: Any, status: int, words: str) -> None:
    answer = await client.request("POST", CHAT, headers=headers, body="<ü/>".encode())
    assert (answer.status, answer.error["type"]) == (status, "invalid_request_error")
    assert words in answer.error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("DELETE", CHAT, 405, "method_not_allowed"),
        ("DELETE", "/docs", 405, "method_not_allowed"),
        ("GET", "/v1/unknown", 404, "not_found"),
        ("POST", "/", 404, "not_found"),
        ("GET", "/v1/models/none", 404, "model_not_found"),
        ("GET", "/v1/models/%00", 400, "invalid_value"),
        ("GET", "/v1/inspect/routes?api_filter=v9", 400, "invalid_value"),
        ("GET", "/v1/inspect/routes?unknown=1", 400, "invalid_value"),
    ],
)
async def test_so_do_method_path_and_query(client: Client, method: str, path: str, status: int, code: str) -> None:
    answer = await client.request(method, path)
    assert (answer.status, answer.error["code"]) == (status, code)
