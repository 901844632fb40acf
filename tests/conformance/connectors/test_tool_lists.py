"""Lists of tools: kept for a while, asked for once by many, and again when the server says that they have changed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp.server.lowlevel import Server
from mcp_types import ListToolsResult, Tool

from runtime.errors import UpstreamError, UpstreamTimeout
from runtime.providers.connectors.builtin import tool_lists
from tests.conformance.connectors.asking import Asking, asking, until
from tests.support.mcp_server import RunningMcp, mcp_server


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


def paged(pages: int) -> Server[Any]:
    """A server with one tool on each page; without an end where there are no pages."""

    async def listed(context: Any, params: Any) -> ListToolsResult:
        page = int(params.cursor or 0) if params else 0
        more = None if page + 1 == pages else str(page + 1)
        tool = Tool(name=f"tool-{page}", input_schema={"type": "object"})
        return ListToolsResult(tools=[tool], next_cursor=more)

    return Server("paged", on_list_tools=listed)


async def test_all_pages_are_read(connectors: Asking) -> None:
    async with mcp_server(made=paged(3)) as server:
        assert await connectors.at(server.url).names() == ["tool-0", "tool-1", "tool-2"]
        assert server.times("tools/list") == 3


async def test_pages_without_an_end_are_an_error(connectors: Asking) -> None:
    async with mcp_server(made=paged(0)) as server:
        with pytest.raises(UpstreamError, match="more than 100 pages"):
            await connectors.at(server.url).names()
        assert server.times("tools/list") == 100


@pytest.mark.parametrize("name", ["", "x" * 600])
async def test_a_name_that_no_call_could_have_is_an_error(connectors: Asking, name: str) -> None:
    async def listed(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name=name, input_schema={"type": "object"})])

    async with mcp_server(made=Server("odd", on_list_tools=listed)) as server:
        with pytest.raises(UpstreamError, match="a tool without a name, or with one of over 512"):
            await connectors.at(server.url).names()


async def test_a_server_that_hangs_is_waited_for_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_lists, "_SHORTLY_S", 0.05)
    awake, asked = asyncio.Event(), 0

    async def listed(context: Any, params: Any) -> ListToolsResult:
        nonlocal asked
        asked += 1
        await awake.wait()
        return ListToolsResult(tools=[Tool(name="yawn", input_schema={"type": "object"})])

    async with mcp_server(made=Server("asleep", on_list_tools=listed)) as server, asking(list_timeout_s=1.5) as own:
        at = own.at(server.url)
        with pytest.raises(UpstreamTimeout):
            await at.names()
        for _ in range(3):
            with pytest.raises(UpstreamTimeout, match="did not list its tools in"):
                await at.names()
            assert own.adapter._lists._rounds._running, "it is asked all the same"
        assert asked == 2, "by one round"
        awake.set()
        monkeypatch.setattr(tool_lists, "_SHORTLY_S", 10.0)
        assert await at.names() == ["yawn"]
        assert not own.adapter._lists._hanging


def named(name: str, words: str = "") -> Server[Any]:
    """A server with one tool that has so many words."""

    async def listed(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name=name, input_schema={"type": "object", "title": words})])

    return Server(name, on_list_tools=listed)


async def test_lists_are_kept_as_far_as_there_is_room(connectors: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_lists, "_MOST_BYTES", 3000)
    async with mcp_server(made=named("one", "x" * 2000)) as one, mcp_server(made=named("two", "x" * 2000)) as two:
        for server in (one, one, two, two, one):
            await connectors.at(server.url).names()
        assert (one.times("tools/list"), two.times("tools/list")) == (2, 1)
    assert connectors.adapter._lists._kept_bytes < 3000


async def test_tools_that_are_too_large_together_are_an_error(
    connectors: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connectors.adapter.pool._imported()
    from runtime.providers.connectors.builtin import session  # the SDK, which is imported late

    monkeypatch.setattr(session, "_MOST_LIST_BYTES", 1024**2)
    async with mcp_server(made=named("large", "x" * 2 * 1024**2)) as server:
        with pytest.raises(UpstreamError, match="tools of more than 1 MiB"):
            await connectors.at(server.url).names()


async def test_each_who_waits_for_a_list_is_raised_an_error_of_their_own(connectors: Asking) -> None:
    async with mcp_server(made=paged(0)) as server:
        at = connectors.at(server.url)
        found = await asyncio.gather(*(at.names() for _ in range(3)), return_exceptions=True)
        assert {type(error) for error in found} == {UpstreamError}
        assert len({id(error) for error in found}) == 3
        assert server.times("tools/list") == 100, "in one round"
