"""Sessions: shared, closed when idle, made anew when the server has lost them, never at the cost of a second run."""

from __future__ import annotations

import asyncio

import pytest

from runtime.errors import Unavailable, UpstreamError, UpstreamUnreachable
from tests.conformance.connectors.asking import Asking, asking, until
from tests.support.mcp_server import RunningMcp, free_port, mcp_server

OPENING = ("server/discover", "initialize")


async def test_calls_at_once_share_a_session(connectors: Asking, server: RunningMcp) -> None:
    at = connectors.at(server.url)
    found = await asyncio.gather(*(at.call("add", {"a": number, "b": 1}) for number in range(20)))
    assert [one.structured_content for one in found] == [{"result": number + 1} for number in range(20)]
    assert connectors.left == (1, 1)
    assert server.times("tools/list") == 1, "all of them needed the list"


async def test_an_idle_session_is_closed_and_nothing_of_it_is_left(server: RunningMcp) -> None:
    async with asking(idle_s=0.2) as connectors:
        at = connectors.at(server.url)
        await at.call("add", {"a": 1, "b": 1})
        tasks = {task for task in asyncio.all_tasks() if "MCP session" in task.get_name()}
        assert len(tasks) == 1
        await until(lambda: connectors.left == (0, 0))
        await until(lambda: server.open_streams == 0)
        assert all(task.done() for task in tasks)
        await at.call("add", {"a": 1, "b": 1})
        assert server.times("tools/list") == 1, "its list is kept"


async def test_a_session_in_use_is_not_idle(newest: RunningMcp) -> None:
    async with asking(idle_s=0.05) as connectors:
        call = asyncio.create_task(connectors.at(newest.url).call("slow"))
        await asyncio.wait_for(newest.started.wait(), 10)
        await asyncio.wait([call], timeout=0.3)
        assert not call.done() and connectors.left == (1, 1)
        call.cancel()
        await until(lambda: connectors.left == (0, 0))


async def test_a_caller_that_leaves_cancels_the_call_and_not_the_session(
    connectors: Asking, server: RunningMcp
) -> None:
    at = connectors.at(server.url)
    leaving = asyncio.create_task(at.call("slow"))
    await asyncio.wait_for(server.started.wait(), 10)
    staying = asyncio.create_task(at.call("add", {"a": 20, "b": 22}))
    leaving.cancel()
    await asyncio.wait_for(server.cancelled.wait(), 10)
    assert (await staying).structured_content == {"result": 42}
    opened = [one.method for one in server.asked if one.method in OPENING]
    assert (await at.call("add", {"a": 1, "b": 1})).structured_content == {"result": 2}
    assert [one.method for one in server.asked if one.method in OPENING] == opened, "no session was made anew"


@pytest.mark.parametrize("kind", [{}, {"newest": False}, {"sse": True}], ids=["2026-07-28", "2025-11-25", "sse"])
async def test_after_a_restart_of_the_server_a_session_is_made_anew(connectors: Asking, kind: dict[str, bool]) -> None:
    port = free_port()
    async with mcp_server(port=port, **kind) as before:
        at = connectors.at(before.url)
        await at.call("add", {"a": 1, "b": 1})
    async with mcp_server(port=port, **kind) as after:
        assert (await at.call("add", {"a": 2, "b": 1})).structured_content == {"result": 3}
        assert after.ran == ["add"], "once"
        assert "grow" in await at.names()


@pytest.mark.parametrize("kind", [{}, {"newest": False}, {"sse": True}], ids=["2026-07-28", "2025-11-25", "sse"])
async def test_a_call_that_may_have_run_is_not_made_again(connectors: Asking, kind: dict[str, bool]) -> None:
    port = free_port()
    async with mcp_server(port=port, **kind) as before:
        at = connectors.at(before.url)
        call = asyncio.create_task(at.call("slow"))
        await asyncio.wait_for(before.started.wait(), 10)
    async with mcp_server(port=port, **kind) as after:
        with pytest.raises(UpstreamError) as caught:
            await asyncio.wait_for(call, 10)
        assert caught.value.status in (502, 503)
        assert after.ran == []


async def test_a_server_that_is_not_there_is_named_with_its_place(connectors: Asking) -> None:
    at = connectors.at(f"http://127.0.0.1:{free_port()}/mcp?key=topsecret")
    with pytest.raises(UpstreamUnreachable) as caught:
        await at.tools()
    assert caught.value.status == 503
    assert "`127.0.0.1` cannot be reached at http://127.0.0.1" in caught.value.message
    assert "topsecret" not in str(caught.value.body())
    assert connectors.left == (0, 0)


async def test_what_is_no_mcp_server_is_said(connectors: Asking, newest: RunningMcp) -> None:
    with pytest.raises(UpstreamError, match="opened no session") as caught:
        await connectors.at(newest.url.replace("/mcp", "/elsewhere")).tools()
    assert caught.value.status == 502 and "404" in caught.value.message


async def test_a_server_that_fails_while_it_lists_is_an_error(newest: RunningMcp) -> None:
    async with asking(tools_max_age_s=0) as connectors:
        at = connectors.at(newest.url)
        assert "add" in await at.names()
        newest.status = 500
        with pytest.raises(UpstreamError, match="500"):
            await at.names()
        newest.status = 0
        assert "add" in await at.names()


async def test_sessions_are_bounded_and_the_longest_unused_makes_room() -> None:
    async with asking(max_sessions=2) as connectors, mcp_server() as one, mcp_server() as two, mcp_server() as three:
        for running in (one, two, three):
            await connectors.at(running.url).call("add", {"a": 1, "b": 1})
        await until(lambda: connectors.left == (2, 2))
        await until(lambda: one.open_streams == 0)
        calls = [asyncio.create_task(connectors.at(running.url).call("slow")) for running in (two, three)]
        await asyncio.gather(*(asyncio.wait_for(running.started.wait(), 10) for running in (two, three)))
        with pytest.raises(Unavailable, match="All 2 MCP sessions are in use"):
            await connectors.at(one.url).call("add", {"a": 1, "b": 1})
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)


async def test_at_the_end_of_the_stack_nothing_is_left(server: RunningMcp) -> None:
    async with asking() as connectors:
        call = asyncio.create_task(connectors.at(server.url).call("slow"))
        await asyncio.wait_for(server.started.wait(), 10)
        await connectors.adapter.stop()
        with pytest.raises(UpstreamError):
            await call
        assert connectors.left == (0, 0)
        with pytest.raises(Unavailable):
            await connectors.at(server.url).call("add", {"a": 1, "b": 1})
        assert not [task for task in asyncio.all_tasks() if "MCP session" in task.get_name()]


async def test_who_opens_a_session_may_leave_before_it_is_open(connectors: Asking, newest: RunningMcp) -> None:
    at = connectors.at(newest.url)
    first = asyncio.create_task(at.tools())
    second = asyncio.create_task(at.names())
    await asyncio.sleep(0)
    first.cancel()
    assert "add" in await second
    assert newest.times("server/discover") == 1


async def test_a_message_that_is_refused_over_sse_is_an_error_at_once(connectors: Asking) -> None:
    async with mcp_server(sse=True) as server:
        at = connectors.at(server.url)
        await at.tools()
        server.status = 500
        with pytest.raises(UpstreamError, match="answered 500 to a message"):
            await asyncio.wait_for(at.call("add", {"a": 1, "b": 1}), 10)


async def test_many_come_and_half_leave_and_nothing_is_left(server: RunningMcp) -> None:
    async with asking(idle_s=0.3) as connectors:
        at = connectors.at(server.url)
        await at.tools()
        staying = [asyncio.create_task(at.call("add", {"a": number, "b": 0})) for number in range(32)]
        leaving = [asyncio.create_task(at.call("slow")) for _ in range(32)]
        await until(lambda: server.ran.count("slow") == 32, within_s=20)
        for call in leaving:
            call.cancel()
        found = await asyncio.gather(*staying)
        assert [one.structured_content for one in found] == [{"result": number} for number in range(32)]
        await asyncio.wait(leaving, timeout=20)
        assert all(call.cancelled() for call in leaving)
        await until(lambda: connectors.left == (0, 0))
        await until(lambda: server.open_streams == 0)
    assert [task.get_name() for task in asyncio.all_tasks() if "MCP" in task.get_name()] == []
