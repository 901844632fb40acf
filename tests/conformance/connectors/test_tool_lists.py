"""Lists of tools: kept for a while, asked for once by many, and again when the server says that they have changed."""

from __future__ import annotations

import asyncio

from tests.conformance.connectors.asking import Asking, asking, until
from tests.support.mcp_server import RunningMcp


async def test_a_list_is_kept(connectors: Asking, server: RunningMcp) -> None:
    at = connectors.at(server.url)
    for _ in range(3):
        await at.tools()
    assert server.times("tools/list") == 1


async def test_many_at_once_cost_one_round(connectors: Asking, server: RunningMcp) -> None:
    at = connectors.at(server.url)
    found = await asyncio.gather(*(at.names() for _ in range(20)))
    assert all(names == found[0] for names in found)
    assert server.times("tools/list") == 1


async def test_an_old_list_is_asked_for_again(server: RunningMcp) -> None:
    async with asking(tools_max_age_s=0) as connectors:
        at = connectors.at(server.url)
        await at.tools()
        await at.tools()
    assert server.times("tools/list") == 2


async def test_a_server_that_has_other_tools_now_is_asked_again(connectors: Asking, server: RunningMcp) -> None:
    at = connectors.at(server.url)
    assert "grown" not in await at.names()
    if server.times("initialize"):
        await until(lambda: server.times("GET") == 1)
    else:
        await until(lambda: server.times("subscriptions/listen") == 1)
    await at.call("grow")
    async with asyncio.timeout(10):
        while "grown" not in await at.names():
            await asyncio.sleep(0.005)
    assert (await at.call("grown")).content[0]["text"] == "here"
    assert server.times("tools/list") == 2
