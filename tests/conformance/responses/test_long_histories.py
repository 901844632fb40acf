"""What a response would be made from is refused where it is too long, whichever way it is named, before it is read."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.asyncio.client import connect

from runtime.conformance.upstream.scripted import says
from runtime.providers.responses.builtin import budget
from tests.conformance.responses.asking import MODEL, Asking
from tests.conformance.responses.test_inputs import uploaded
from tests.conformance.responses.ways import Talk
from tests.support.raw_http import Listening

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = "long " * 400


@pytest.fixture(autouse=True)
def short_histories(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MOST_BYTES", 4000)
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


async def test_of_items_that_are_referred_to(asking: Asking) -> None:
    items = [{"role": "user", "content": LONG, "id": id} for id in "ab"]
    first = await asking.whole(items[:1])
    refers = [{"type": "item_reference", "id": item["id"]} for item in items]
    error = await asking.refused({"input": refers[:1], "previous_response_id": first["id"]})
    assert (error["status"], error["param"]) == (413, "input[0].id")
    assert "`a` that `input[0]` refers to" in error["message"] and "at most 4000" in error["message"]
    error = await asking.refused({"input": [*items, *refers]})
    assert (error["status"], error["param"]) == (413, "input[3].id"), "one may be, both may not"


async def test_of_files(asking: Asking) -> None:
    """Each time that one is named counts: so often it is sent."""
    file_id = await uploaded(asking, LONG.encode(), "long.txt")
    part = {"type": "input_file", "file_id": file_id}
    first = await asking.whole([{"role": "user", "content": [part]}])
    error = await asking.refused({"input": [{"role": "user", "content": [part, part]}]})
    assert (error["status"], error["param"]) == (413, "input") and f"`{file_id}`" in error["message"]
    error = await asking.refused({"input": [{"role": "user", "content": [part]}], "previous_response_id": first["id"]})
    assert error["status"] == 413, "with what went before"


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
