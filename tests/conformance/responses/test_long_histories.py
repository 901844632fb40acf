"""A history that is too long to be read at once is refused, by whichever way it is named, before it is read."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.asyncio.client import connect

from runtime.providers.responses.builtin import history
from tests.conformance.responses.asking import MODEL, Asking
from tests.conformance.responses.ways import Talk
from tests.support.raw_http import Listening
from tests.support.upstream.scripted import says

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = "long " * 400


@pytest.fixture(autouse=True)
def short_histories(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_BYTES", 4000)
    asking.says(says("Yes"))


async def refused(asking: Asking, **named: Any) -> None:
    error = await asking.refused({"input": "And?", **named})
    [field] = named
    assert (error["status"], error["param"]) == (413, field) and "4000" in error["message"]
    counted = await asking.client.post("/v1/responses/input_tokens", {"model": MODEL, "input": "And?", **named})
    assert counted.status == 413


async def test_of_a_conversation(asking: Asking) -> None:
    long = {"role": "user", "content": LONG}
    made = (await asking.client.post("/v1/conversations", {"items": [long]})).json()["id"]
    assert (await asking.whole("And?", conversation=made))["status"] == "completed"
    await asking.client.post(f"/v1/conversations/{made}/items", {"items": [long]})
    await refused(asking, conversation=made)
    listed = (await asking.client.get(f"/v1/conversations/{made}/items?order=asc")).json()["data"]
    assert len(listed) == 4, "it is read page by page as ever"
    await asking.client.request("DELETE", f"/v1/conversations/{made}/items/{listed[0]['id']}")
    assert (await asking.whole("And?", conversation=made))["status"] == "completed", "what was deleted counts no more"


async def test_of_responses(asking: Asking) -> None:
    first = (await asking.whole(LONG))["id"]
    second = (await asking.whole(LONG, previous_response_id=first))["id"]
    await refused(asking, previous_response_id=second)
    listed = await asking.client.get(f"/v1/responses/{second}/input_items")
    assert listed.status == 200, "the request's own items are no history"
    assert (await asking.whole("And?", previous_response_id=first))["status"] == "completed"


async def test_of_what_is_kept_by_a_connection_alone(asking: Asking, door: Listening) -> None:
    async with connect(f"ws://127.0.0.1:{door.port}/v1/responses") as socket:
        talk = Talk(socket)
        last: dict[str, Any] = {}
        for _ in range(2):
            end = (await talk.turn(LONG, store=False, generate=False, **last))[-1]
            last = {"previous_response_id": end["response"]["id"]}
        [error] = await talk.turn(LONG, store=False, generate=False, **last)
        assert (error["status"], error["error"]["param"]) == (413, "previous_response_id")
        assert "4000" in error["error"]["message"]
        assert (await talk.turn("Hi", store=False))[-1]["type"] == "response.completed"
