"""The cases of the Open Responses compliance suite that are asked over HTTP. https://www.openresponses.org/compliance

Each is asked as that describes it; `Asking` holds every answer and event to the specification's schemas.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.conformance.responses.asking import Asking, kinds, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")
# One transparent pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather of a place now",
    "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}


def message(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


async def test_basic_response(asking: Asking) -> None:
    response = await asking.whole([message("user", "Greet me in three words.")])
    assert response["status"] == "completed" and response["output"]


async def test_streaming_response(asking: Asking) -> None:
    events = await asking.streamed([message("user", "Count to five.")])
    assert events[-1]["response"]["status"] == "completed" and "output_text.delta" in kinds(events)


async def test_system_prompt(asking: Asking) -> None:
    response = await asking.whole([message("system", "Talk like a sailor."), message("user", "Greet me.")])
    assert response["status"] == "completed" and response["output"]
    assert asking.vendor.calls("/chat/completions")[-1].json()["messages"] == [
        {"role": "system", "content": "Talk like a sailor."},
        {"role": "user", "content": "Greet me."},
    ]


async def test_tool_calling(asking: Asking) -> None:
    response = await asking.whole([message("user", "How is the weather in Lima?")], tools=[WEATHER])
    assert [item["type"] for item in response["output"]] == ["function_call"]
    assert response["tools"] == [{**WEATHER, "strict": None}]


async def test_streamed_tool_calling(asking: Asking) -> None:
    events = await asking.streamed([message("user", "How is the weather in Lima?")], tools=[WEATHER])
    assert kinds(events)[2:-1] == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
    ]  # fmt: skip


async def test_image_input(asking: Asking) -> None:
    assert base64.b64decode(PIXEL)
    url = f"data:image/png;base64,{PIXEL}"
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": url}]
    response = await asking.whole([message("user", parts)])
    assert response["status"] == "completed"
    assert texts(response)[0].startswith("1 image"), "the vendor says what it was given"


async def test_multi_turn_conversation(asking: Asking) -> None:
    said = [message("user", "I am Ada."), message("assistant", "Hello Ada."), message("user", "Who am I?")]
    response = await asking.whole(said)
    assert response["status"] == "completed" and response["output"]
    sent = asking.vendor.calls("/chat/completions")[-1].json()["messages"]
    assert [one["role"] for one in sent] == ["user", "assistant", "user"]
