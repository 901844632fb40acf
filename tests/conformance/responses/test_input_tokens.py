"""What a response would read is counted before it is made: here estimated, since the vendor does not count."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.upstream.scripted import says
from tests.conformance.responses.asking import MODEL, WEATHER, Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")
WORDS = "llamas chew slowly in the rain " * 20
TURNS = [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": WORDS}]


async def counted(asking: Asking, path: str = "/v1/responses/input_tokens", **fields: Any) -> int:
    answered = await asking.client.post(path, {"model": MODEL, **fields})
    assert answered.status == 200, answered.body
    assert "an estimate with cl100k_base" in answered.headers["x-llama-warnings"]
    body = answered.json()
    assert body == {"object": "response.input_tokens", "input_tokens": body["input_tokens"]}
    tokens: int = body["input_tokens"]
    return tokens


async def test_a_short_text_is_what_openai_counts_for_it(asking: Asking) -> None:
    """`hello world` is two tokens of cl100k, `user` one; each message adds three, and so does the answer."""
    assert await counted(asking, input="hello world") == 9
    assert await counted(asking, "/v1/openai/v1/responses/input_tokens", input="hello world") == 9


async def test_everything_that_the_model_reads_counts(asking: Asking) -> None:
    fewest = await counted(asking, input="Hi")
    many = [
        await counted(asking, input="Hi", instructions=WORDS),
        await counted(asking, input="Hi", tools=[WEATHER | {"description": WORDS}]),
        await counted(asking, input=[*TURNS, {"role": "user", "content": "Hi"}]),
        await counted(asking, input="Hi", text={"format": {"type": "json_schema", "schema": {"description": WORDS}}}),
    ]
    assert all(tokens > fewest + 100 for tokens in many), many
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    shown = [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}, image]}]
    assert await counted(asking, input=shown) == fewest + 765
    shown[0]["content"][1] = image | {"detail": "low"}  # type: ignore[index]
    assert await counted(asking, input=shown) == fewest + 85


async def test_it_is_the_same_by_whichever_way_the_history_is_named(asking: Asking) -> None:
    asking.says(says(WORDS))
    first = await asking.whole("Weather?")
    before = len(asking.vendor.calls("/chat/completions"))
    by_id = await counted(asking, input="And?", previous_response_id=first["id"])
    assert by_id == await counted(asking, input=[*TURNS, {"role": "user", "content": "And?"}])
    assert len(asking.vendor.calls("/chat/completions")) == before, "the model is not asked"


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"input": "Hi", "model": "vendor/gone"}, 404, "model"),
        ({"input": "Hi", "previous_response_id": "resp_gone"}, 404, "previous_response_id"),
        ({"input": []}, 400, "input"),
        ({"input": "Hi", "tools": [{"type": "wizard"}]}, 400, "tools[0].type"),
    ],
)
async def test_what_could_not_be_asked_is_not_counted(
    asking: Asking, fields: dict[str, Any], status: int, param: str
) -> None:
    answered = await asking.client.post("/v1/responses/input_tokens", {"model": MODEL, **fields})
    assert (answered.status, answered.error["param"]) == (status, param)
