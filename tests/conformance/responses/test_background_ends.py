"""How responses in the background end: at one moment for everybody, or not at all for who deleted or never got them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from runtime.apis.conversations.protocol import ReadConversation
from runtime.conformance.stacks import Served, adapter_of
from runtime.conformance.upstream.scripted import says
from runtime.errors import Unavailable
from runtime.ids import new_id
from runtime.providers.responses.builtin.holding import READ, settled
from runtime.providers.responses.builtin.tables import EVENTS, RESPONSES
from runtime.storage.jobs.records import JOBS
from runtime.storage.sql import Select, Update, eq
from runtime.storage.sql.holding import LEASE_S
from tests.conformance.responses.asking import MODEL, Asking, texts
from tests.conformance.responses.test_background import LIMIT_S, ended, held_at_the_model

pytestmark = pytest.mark.asyncio(loop_scope="module")
BODY = {"model": MODEL, "input": "Go on", "background": True}


class Gate:
    """Lets calls of a method through one by one: each is done, and returns when the gate opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self._call = getattr(owner, name)
        monkeypatch.setattr(owner, name, self)

    async def __call__(self, *given: Any, **named: Any) -> Any:
        found = await self._call(*given, **named)
        self.reached.set()
        await self.opened.wait()
        return found


async def begun_in_a_conversation(asking: Asking) -> tuple[str, str]:
    """The ids of a response and its conversation."""
    conversation = (await asking.client.post("/v1/conversations", {})).json()["id"]
    made = (await asking.client.post("/v1/responses", {**BODY, "conversation": conversation})).json()
    return made["id"], conversation


async def items_of(served: Served, conversation: str) -> list[dict[str, Any]]:
    conversations = adapter_of(served.stack, "conversations")
    read = await conversations.read_conversation(ReadConversation(conversation_id=conversation, most_bytes=10_000))
    return [*read.items]


async def test_one_that_is_in_its_conversation_is_not_cancelled_any_more(
    asking: Asking, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.says(says("All of it"))
    gate = Gate(monkeypatch, adapter_of(served.stack, "conversations"), "append_items")
    response_id, conversation = await begun_in_a_conversation(asking)
    async with asyncio.timeout(LIMIT_S):
        await gate.reached.wait()
        cancelling = asyncio.create_task(asking.client.post(f"/v1/responses/{response_id}/cancel"))
        while (await asking.kept(response_id))["status"] == "in_progress" and not cancelling.done():
            gate.opened.set()
        answered = (await cancelling).json()
    kept = await ended(asking, response_id)
    assert (answered["status"], kept["status"], texts(kept)) == ("completed", "completed", ["All of it"])
    assert [item["role"] for item in await items_of(served, conversation)] == ["user", "assistant"]


async def test_one_that_is_cancelled_in_time_adds_nothing_to_its_conversation(asking: Asking, served: Served) -> None:
    conversation = (await asking.client.post("/v1/conversations", {})).json()["id"]
    async with held_at_the_model(asking, conversation=conversation) as response_id:
        answered = await asking.client.post(f"/v1/responses/{response_id}/cancel")
        assert answered.json()["status"] == "cancelled"
    assert await items_of(served, conversation) == []


async def test_what_it_was_asked_has_one_id_here_and_in_its_conversation(asking: Asking, served: Served) -> None:
    asking.says(says("All of it"))
    response_id, conversation = await begun_in_a_conversation(asking)
    kept = await ended(asking, response_id)
    items = await items_of(served, conversation)
    assert [item["id"] for item in items] == [item["id"] for item in [*kept["input"], *kept["output"]]]


async def test_the_end_is_told_when_it_counts(asking: Asking, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = adapter_of(served.stack, "responses")
    store, statuses = adapter._background.telling._store, []
    write = store.write

    async def seen(*statements: Any) -> Any:
        counts = await write(*statements)
        for one in statements:
            if one.table is EVENTS and b"event: response.completed" in one.values["data"]:
                row = await store.first(Select(RESPONSES, eq("id", one.values["response_id"]), ("status",)))
                statuses.append(row["status"])
        return counts

    monkeypatch.setattr(store, "write", seen)
    asking.says(says("One ", "two"))
    await asking.streamed("Go on", background=True)
    assert statuses == ["completed"]


async def test_one_whose_job_cannot_be_kept_leaves_nothing(
    asking: Asking, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise Unavailable("the jobs are away")

    before = (await asking.client.get("/v1/responses")).json()["data"]
    with monkeypatch.context() as patched:
        patched.setattr(adapter_of(served.stack, "responses")._background._jobs, "add", refuse)
        for streams in (False, True):
            assert (await asking.client.post("/v1/responses", {**BODY, "stream": streams})).status == 503
    assert (await asking.client.get("/v1/responses")).json()["data"] == before


async def test_one_whose_process_dies_before_it_has_a_job_is_not_queued_for_ever(
    asking: Asking, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.says(says("All of it"))
    adapter = adapter_of(served.stack, "responses")
    jobs = adapter._background._jobs
    add, reached, opened = jobs.add, asyncio.Event(), asyncio.Event()

    async def later(*given: Any, **named: Any) -> Any:
        reached.set()
        await opened.wait()
        return await add(*given, **named)

    async def row() -> dict[str, Any]:
        found = await adapter._kept._store.first(Select(RESPONSES, columns=READ, order=("-position", "-id")))
        assert found is not None
        return dict(found)

    monkeypatch.setattr(jobs, "add", later)
    asked = asyncio.create_task(asking.client.post("/v1/responses", BODY))
    async with asyncio.timeout(LIMIT_S):
        await reached.wait()
        after = time.time() + LEASE_S + 1
        assert (await row())["status"] == "queued"
        assert settled(await row(), after)["status"] == "incomplete"
        opened.set()
        response_id = (await asked).json()["id"]
    assert (await ended(asking, response_id))["status"] == "completed"
    assert (await row())["held_until"] is None


async def test_one_that_another_process_makes_or_made_is_deleted_at_once(asking: Asking, served: Served) -> None:
    asking.says(says("All of it"))
    adapter = adapter_of(served.stack, "responses")
    store, jobs = adapter._kept._store, adapter._background._jobs._runner.store
    response_id = (await asking.streamed("Go on", background=True))[0]["response"]["id"]
    elsewhere = {"state": "running", "lease": new_id("lease_"), "due_at": time.time() + 30}
    await jobs.write(Update(JOBS, elsewhere, eq("id", response_id)))
    await store.write(Update(RESPONSES, {"status": "in_progress"}, eq("id", response_id)))
    begun = time.monotonic()
    assert (await asking.client.request("DELETE", f"/v1/responses/{response_id}")).status == 200
    assert time.monotonic() - begun < 3, "nobody waits for a process that may be dead"
    for rows, table, column in ((store, RESPONSES, "id"), (store, EVENTS, "response_id"), (jobs, JOBS, "id")):
        assert await rows.select(Select(table, eq(column, response_id))) == [], table.name


async def test_one_that_is_deleted_while_it_is_made_ends_upstream(asking: Asking, served: Served) -> None:
    adapter = adapter_of(served.stack, "responses")
    async with held_at_the_model(asking) as response_id:
        assert (await asking.client.request("DELETE", f"/v1/responses/{response_id}")).status == 200
        async with asyncio.timeout(LIMIT_S):
            await asking.vendor.ended_early.wait()
    jobs = adapter._background._jobs._runner.store
    assert await jobs.select(Select(JOBS, eq("id", response_id))) == []
