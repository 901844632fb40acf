"""Responses in the background: answered at once, followed from any event on, cancelled, and never made twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime.access import EVERYBODY
from runtime.conformance.stacks import Served, adapter_of
from runtime.conformance.upstream.scripted import says
from runtime.providers.responses.builtin.tables import EVENTS, RESPONSES
from runtime.sse import encode
from runtime.storage.sql import Delete, Select, Update, eq
from tests.conformance.responses.asking import MODEL, Asking, kinds

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMIT_S = 30.0


async def begun(asking: Asking, **fields: Any) -> dict[str, Any]:
    response = await asking.whole("Go on", background=True, **fields)
    assert (response["status"], response["background"], response["output"]) == ("queued", True, [])
    return response


async def ended(asking: Asking, response_id: str) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT_S):
        while (found := await asking.kept(response_id))["status"] in ("queued", "in_progress"):
            await asyncio.sleep(0.01)
    return found


async def followed(asking: Asking, response_id: str, query: str = "") -> list[dict[str, Any]]:
    answered = await asking.client.get(f"/v1/responses/{response_id}?stream=true{query}")
    assert answered.status == 200, answered.body
    lines = answered.body.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@asynccontextmanager
async def held_at_the_model(asking: Asking, **fields: Any) -> AsyncIterator[str]:
    """The id of one that is being made, whose model has begun to answer and waits."""
    asking.vendor.gate.clear()
    asking.vendor.ended_early.clear()
    body = {"model": MODEL, "input": "Go on", "background": True, "stream": True, **fields}
    follower = asyncio.create_task(asking.client.post("/v1/responses", body))
    try:
        async with asyncio.timeout(LIMIT_S):
            await asking.vendor.waiting_at_gate.wait()
        yield (await asking.client.get("/v1/responses?limit=1")).json()["data"][0]["id"]
        async with asyncio.timeout(LIMIT_S):
            assert (await follower).status == 200
    finally:
        asking.vendor.gate.set()
        follower.cancel()


async def test_it_is_made_after_the_answer(asking: Asking) -> None:
    asking.says(says("All of it"))
    response = await ended(asking, (await begun(asking))["id"])
    assert response["status"] == "completed"
    assert response["output"][0]["content"][0]["text"] == "All of it"


async def test_its_events_are_told_to_who_waits_and_to_who_comes_later(asking: Asking) -> None:
    asking.says(says("One ", "two"))
    events = await asking.streamed("Go on", background=True)
    assert kinds(events)[:3] == ["created", "queued", "in_progress"] and kinds(events)[-1] == "completed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    response_id = events[0]["response"]["id"]
    assert await followed(asking, response_id) == events
    assert await followed(asking, response_id, "&starting_after=4") == events[5:]
    assert await followed(asking, response_id, "&starting_after=9999") == []
    assert events[-1]["response"] == {
        name: value for name, value in (await asking.kept(response_id)).items() if name != "input"
    }


async def test_one_without_kept_events_cannot_be_followed(asking: Asking) -> None:
    asking.says(says("a"), says("b"))
    for fields in ({"background": True}, {}):
        response = await asking.whole("Go on", **fields)
        answered = await asking.client.get(f"/v1/responses/{response['id']}?stream=true")
        assert answered.status == 400 and answered.error["param"] == "stream"
        assert response["id"] in answered.error["message"]


async def test_a_cancelled_one_ends_upstream_and_for_who_follows(asking: Asking) -> None:
    async with held_at_the_model(asking) as response_id:
        path = f"/v1/responses/{response_id}/cancel"
        assert (await asking.client.post(path)).json()["status"] == "cancelled"
        async with asyncio.timeout(LIMIT_S):
            await asking.vendor.ended_early.wait()
    kept = await asking.kept(response_id)
    assert kept["status"] == "cancelled"
    assert all(item["status"] != "in_progress" for item in kept["output"])
    assert (await asking.client.post(path)).json()["status"] == "cancelled", "twice is the same"


async def test_only_one_in_the_background_is_cancelled(asking: Asking) -> None:
    asking.says(says("a"))
    response = await asking.whole("Hi")
    answered = await asking.client.post(f"/v1/responses/{response['id']}/cancel")
    assert answered.status == 400 and "not made in the background" in answered.error["message"]
    missing = await asking.client.post("/v1/responses/resp_none/cancel")
    assert missing.status == 404 and "resp_none" in missing.error["message"]
    assert missing.error["code"] == "response_not_found"


async def test_a_model_that_refuses_is_a_response_that_failed(asking: Asking) -> None:
    response = await asking.client.post("/v1/responses", {"model": "vendor/none", "input": "Hi", "background": True})
    failed = await ended(asking, response.json()["id"])
    assert failed["status"] == "failed" and failed["error"]["message"]


async def test_it_needs_to_be_kept(asking: Asking) -> None:
    error = await asking.refused({"input": "Hi", "background": True, "store": False})
    assert error["status"] == 400 and "`background` needs `store`" in error["message"]


async def test_what_is_deleted_leaves_nothing(asking: Asking, served: Served) -> None:
    asking.says(says("a"))
    events = await asking.streamed("Go on", background=True)
    response_id = events[0]["response"]["id"]
    store = adapter_of(served.stack, "responses")._kept._store
    assert await store.select(Select(EVENTS, eq("response_id", response_id)))
    assert (await asking.client.request("DELETE", f"/v1/responses/{response_id}")).status == 200
    assert not await store.select(Select(EVENTS, eq("response_id", response_id)))
    assert not await store.select(Select(RESPONSES, eq("id", response_id)))
    jobs = adapter_of(served.stack, "responses")._background._jobs
    assert response_id not in [job.id for job in (await jobs.page(_All(), user=EVERYBODY))[0]]


@pytest.mark.parametrize("how", ["completed", "cancelled"])
async def test_what_was_asked_is_with_the_response_alone_once_it_has_ended(
    asking: Asking, served: Served, how: str
) -> None:
    """Its job had it too, and stayed where responses are deleted by their age."""
    jobs = adapter_of(served.stack, "responses")._background._jobs
    if how == "completed":
        asking.says(says("a"))
        response_id = (await begun(asking))["id"]
        await ended(asking, response_id)
    else:
        async with held_at_the_model(asking) as response_id:
            assert (await asking.client.post(f"/v1/responses/{response_id}/cancel", {})).status == 200
    async with asyncio.timeout(LIMIT_S):
        while response_id in [job.id for job in (await jobs.page(_All(), user=EVERYBODY))[0]]:
            await asyncio.sleep(0.01)
    assert (await asking.kept(response_id))["status"] == how


class _All:
    after = before = None
    limit = 100
    order = "desc"


async def test_it_can_be_continued_once_it_has_ended(asking: Asking) -> None:
    async with held_at_the_model(asking) as response_id:
        error = await asking.refused({"input": "And?", "previous_response_id": response_id})
        assert error["status"] == 400 and "in_progress" in error["message"]
        await asking.client.post(f"/v1/responses/{response_id}/cancel")
    assert (await asking.whole("And?", previous_response_id=response_id))["status"] == "completed"


async def test_an_attempt_whose_process_died_is_incomplete_and_told_so(asking: Asking, served: Served) -> None:
    """As after `kill -9`: the row is `in_progress`, and the job is begun again."""
    asking.says(says("a"))
    events = await asking.streamed("Go on", background=True)
    response_id = events[0]["response"]["id"]
    adapter = adapter_of(served.stack, "responses")
    shown = {**events[0]["response"], "status": "in_progress"}
    await adapter._background._store.write(*_as_if_running(response_id, shown, last=events[-1]["sequence_number"]))
    await adapter._background._job._give_up(response_id, adapter._background._store)
    kept = await asking.kept(response_id)
    assert (kept["status"], kept["incomplete_details"]) == ("incomplete", {"reason": "interrupted"})
    told = await followed(asking, response_id)
    assert told[-1]["type"] == "response.incomplete"
    assert [event["sequence_number"] for event in told] == list(range(len(told)))


def _as_if_running(response_id: str, shown: dict[str, Any], *, last: int) -> list[Any]:
    where = eq("response_id", response_id) & eq("number", last)
    change = {"status": "in_progress", "response": encode(shown)}
    return [Delete(EVENTS, where), Update(RESPONSES, change, eq("id", response_id))]
