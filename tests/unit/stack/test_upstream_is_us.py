"""An upstream that is this server itself, or that asks it in turn, is refused and said, until it is another one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from runtime.conformance.stacks import Served, run_config
from runtime.conformance.upstream import CHAT_MODEL, upstream_server
from runtime.stack.instance import HEADER, Instance
from tests.support.door import door
from tests.support.listing import until
from tests.support.stacks import openai_at, serving

SOON: dict[str, Any] = {"server": {"registry_refresh_interval_seconds": 0.02}}
CHAT = {"messages": [{"role": "user", "content": "hi"}]}


def reason(served: Served, provider_id: str = "up") -> str:
    return served.stack.degraded().get(provider_id, "")


async def listed(served: Served) -> list[str]:
    return [model["id"] for model in (await served.client.get("/v1/models")).json()["data"]]


async def test_a_server_that_is_its_own_upstream_refuses_itself(tmp_path: Path) -> None:
    async with door() as itself, upstream_server() as vendor, AsyncExitStack() as stacks:
        run = run_config(openai_at(itself.url, "up"), openai_at(vendor.url, "real"), **SOON)
        served = await stacks.enter_async_context(serving(run, tmp_path))
        itself.client = served.client
        await until(lambda: "leads back to this server" in reason(served))
        assert not [name for name in await listed(served) if name.startswith("up/")]
        health = (await served.client.get("/v1/providers/up")).json()["health"]
        assert health["state"] == "degraded" and "leads back" in health["message"]
        asked = itself.asked
        for model in ("up/x", f"up/real/{CHAT_MODEL}", "up/up/up/x"):
            answer = await served.client.post("/v1/chat/completions", {"model": model, **CHAT})
            assert answer.status == 503 and "leads back" in answer.error["message"]
        assert not vendor.calls("/chat/completions") and itself.asked < asked + 100
        assert (await served.client.post("/v1/chat/completions", {"model": f"real/{CHAT_MODEL}", **CHAT})).status == 200


async def test_a_circle_of_servers_is_noticed_and_lists_stop_growing(tmp_path: Path) -> None:
    async with AsyncExitStack() as held:
        doors = [await held.enter_async_context(door()) for _ in range(3)]
        vendor = await held.enter_async_context(upstream_server())
        servers = []
        for place, at in enumerate(doors):
            other = doors[(place + 1) % 3]
            run = run_config(openai_at(other.url, "up"), openai_at(vendor.url, "real"), **SOON)
            servers.append(await held.enter_async_context(serving(run, tmp_path / str(place))))
            at.client = servers[-1].client
        await until(lambda: all("leads back" in reason(served) for served in servers))
        for served in servers:
            assert len(await listed(served)) == 2  # the vendor's own, and nobody else's


async def test_a_circle_that_was_broken_elsewhere_is_forgotten(tmp_path: Path) -> None:
    """first -> second -> third -> first, and the third goes: the second cannot ask it whether it is still so."""
    async with AsyncExitStack() as held:
        doors = [await held.enter_async_context(door()) for _ in range(3)]
        servers = []
        for place, at in enumerate(doors):
            run = run_config(openai_at(doors[(place + 1) % 3].url, "up"), **SOON)
            servers.append(await held.enter_async_context(serving(run, tmp_path / str(place))))
            at.client = servers[-1].client
        await until(lambda: all("leads back" in reason(served) for served in servers))
        doors[2].client = None
        await until(lambda: reason(servers[0]) == "")
        assert "leads back" not in reason(servers[1])


async def test_a_chain_that_ends_is_no_circle(tmp_path: Path) -> None:
    async with AsyncExitStack() as held:
        back, vendor = await held.enter_async_context(door()), await held.enter_async_context(upstream_server())
        run = run_config(openai_at(vendor.url, "real"), **SOON)
        behind = await held.enter_async_context(serving(run, tmp_path / "back"))
        back.client = behind.client
        front = await held.enter_async_context(
            serving(run_config(openai_at(back.url, "up"), **SOON), tmp_path / "front")
        )
        assert f"up/real/{CHAT_MODEL}" in await listed(front)
        ids = (await front.client.get("/v1/health")).headers[HEADER].split(",")
        assert ids == [front.stack.instance.id, behind.stack.instance.id]


async def test_a_provider_recovers_once_its_address_is_another_server_s(tmp_path: Path) -> None:
    async with door() as at, serving(run_config(openai_at(at.url, "up"), **SOON), tmp_path / "a") as served:
        at.client = served.client
        await until(lambda: "leads back" in reason(served))
        async with (
            upstream_server() as vendor,
            serving(run_config(openai_at(vendor.url, "real")), tmp_path / "b") as other,
        ):
            at.client = other.client
            await until(lambda: reason(served) == "")
            answer = await served.client.post("/v1/chat/completions", {"model": f"up/real/{CHAT_MODEL}", **CHAT})
            assert answer.status == 200
            at.client = served.client
            await until(lambda: "leads back" in reason(served))


def test_ids_of_others_are_checked_and_bounded() -> None:
    instance = Instance()
    name, alone = instance.header
    assert (name.decode(), alone.decode()) == (HEADER, instance.id)
    others = [Instance().id for _ in range(1000)]
    assert not instance.leads_back("p", {HEADER: ",".join([*others, "x\r\nevil: 1", "stack_zz"])})
    assert len(instance.header[1]) < 2000 and b"evil" not in instance.header[1]
    first = instance.header
    instance.leads_back("p", {HEADER: ",".join(others)})
    assert instance.header is first  # the same bytes for every answer
    assert instance.leads_back("q", {HEADER: f"{others[0]}, {instance.id}"})
    instance.leads_back("p", {})
    instance.leads_back("q", {})
    assert instance.header[1] == alone


async def test_every_answer_says_who_gave_it(tmp_path: Path) -> None:
    async with serving(run_config(), tmp_path) as served:
        for path in ("/v1/health", "/v1/nothing", "/v1/models/none"):
            assert (await served.client.get(path)).headers[HEADER] == served.stack.instance.id
        async with asyncio.timeout(5):
            assert (await served.client.post("/v1/chat/completions", {})).headers[HEADER] == served.stack.instance.id
