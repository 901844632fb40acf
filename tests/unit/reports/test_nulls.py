"""Requests of clients that say null for what they leave out: see `tests/reports.md`."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.apis.responses.request import CreateResponseRequest
from runtime.conformance.asgi import Client
from runtime.conformance.upstream import CHAT_MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")
MODEL = f"vendor/{CHAT_MODEL}"


def nullable(model: type[Any], *asked: str) -> list[str]:
    """The fields of a request but those that it must have."""
    return [name for name in model.model_fields if name not in asked]


async def test_null_is_as_good_as_left_out_in_every_field_of_a_response(client: Client) -> None:
    nulls = dict.fromkeys(nullable(CreateResponseRequest, "model", "input"))
    assert {"parallel_tool_calls", "tool_choice", "text", "max_output_tokens"} <= nulls.keys()
    answered = await client.post("/v1/responses", {"model": MODEL, "input": "hi", **nulls})
    assert answered.status == 200, answered.body
    assert answered.json()["parallel_tool_calls"] is True and answered.json()["tool_choice"] == "auto"


async def test_null_is_as_good_as_left_out_in_every_field_of_a_chat(client: Client) -> None:
    nulls = dict.fromkeys(nullable(ChatCompletionRequest, "model", "messages"))
    assert {"tools", "stop", "stream_options", "logit_bias"} <= nulls.keys()
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], **nulls}
    answered = await client.post("/v1/chat/completions", body)
    assert answered.status == 200, answered.body


THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None, "content": None, "status": None}
CALLED = {"type": "function_call", "id": None, "call_id": "c", "name": "f", "arguments": "{}", "status": None}
OUTPUT = {"type": "function_call_output", "id": None, "call_id": "c", "output": "done", "status": None}
SAID = {"type": "output_text", "text": "yes", "annotations": None, "logprobs": None}


@pytest.mark.parametrize(
    "items",
    [
        [THOUGHT, CALLED, OUTPUT],
        [{"type": "message", "id": None, "status": None, "role": "assistant", "content": [SAID]}],
        [{"role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}],
    ],
    ids=["thought", "said", "said-shortly"],
)
async def test_items_may_have_null_members(client: Client, items: list[Any]) -> None:
    asked = [{"role": "user", "content": "hi"}, *items, {"role": "user", "content": "and?"}]
    answered = await client.post("/v1/responses", {"model": MODEL, "input": asked})
    assert answered.status == 200, answered.body
