"""A provider's durable work, over a whole stack that is stopped and started."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runtime.access import ANYBODY, EVERYBODY, SYSTEM, Nameless, User
from runtime.conformance.stacks import Served, adapter_of
from runtime.context import RequestContext, serving
from runtime.storage.jobs.runner import JobRunner
from tests.support.examples import kiln
from tests.support.examples.kiln import Kiln
from tests.support.stacks import serving_example


def kiln_of(served: Served) -> Kiln:
    found: Kiln = adapter_of(served.stack, "kilns")
    return found


async def test_work_that_a_stop_cut_short_is_done_after_the_restart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(JobRunner.__init__.__kwdefaults__, "poll_s", 0.02)
    async with serving_example(monkeypatch, kiln, tmp_path) as served:
        added = (await served.client.post("/v1/firings", {"pot": "blue"})).json()
        assert added["state"] == "queued"
        listed = (await served.client.get("/v1/firings")).json()
        assert [one["id"] for one in listed["data"]] == [added["id"]]
    async with serving_example(monkeypatch, kiln, tmp_path) as served:
        kiln_of(served).may_end.set()
        async with asyncio.timeout(20):
            await kiln_of(served).jobs.finished(added["id"], user=EVERYBODY)
        fired = (await served.client.get(f"/v1/firings/{added['id']}")).json()
        assert (fired["state"], fired["result"]) == ("completed", "blue, fired")


async def test_work_is_cancelled_by_a_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with serving_example(monkeypatch, kiln, tmp_path) as served:
        added: dict[str, Any] = (await served.client.post("/v1/firings", {"pot": "blue"})).json()
        await served.client.post(f"/v1/firings/{added['id']}/cancel", {})
        async with asyncio.timeout(20):
            assert (await kiln_of(served).jobs.finished(added["id"], user=EVERYBODY)).state == "cancelled"
        missing = await served.client.get("/v1/firings/firing_none")
        assert missing.status == 404 and b"firing_none" in missing.body


@pytest.mark.parametrize("nameless", [EVERYBODY, ANYBODY])
async def test_work_is_done_for_whoever_asked_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nameless: Nameless
) -> None:
    """A handler need not say so. What is nobody's is done for whoever asks this server without a name."""
    ann = User(principal="ann")
    async with serving_example(monkeypatch, kiln, tmp_path) as served:
        kiln_of(served).may_end.set()
        served.stack.nameless = nameless
        for user in (ann, nameless):
            with serving(RequestContext(user=user)):
                added = await served.stack.api("kilns").fire(kiln.FireRequest(pot="blue"))
            async with asyncio.timeout(20):
                await kiln_of(served).jobs.finished(added.id, user=SYSTEM)
        assert kiln_of(served).fired_for == [ann, nameless]


async def test_who_asks_a_server_without_authentication_sees_everything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with serving_example(monkeypatch, kiln, tmp_path) as served:
        with serving(RequestContext(user=User(principal="ann"))):
            added = await served.stack.api("kilns").fire(kiln.FireRequest(pot="blue"))
        assert (await served.client.get(f"/v1/firings/{added.id}")).status == 200
