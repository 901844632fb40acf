"""Listing and calling the tools of real servers, of each kind."""

from __future__ import annotations

import asyncio
import base64

import pytest

from runtime.errors import NotFound, RequestError, UpstreamTimeout
from tests.conformance.connectors.asking import Asking, Known, asking
from tests.support.mcp_server import PIXEL, RunningMcp, mcp_server


async def test_tools_are_listed_with_their_schemas(connectors: Asking, server: RunningMcp) -> None:
    tools = {tool.name: tool for tool in await connectors.at(server.url).tools()}
    add = tools["add"]
    assert add.description == "Adds two numbers."
    assert add.input_schema["required"] == ["a", "b"] and add.output_schema is not None
    assert {"picture", "fails", "slow", "long"} <= set(tools)


async def test_a_call_gives_back_what_the_tool_says(connectors: Asking, server: RunningMcp) -> None:
    found = await connectors.at(server.url).call("add", {"a": 1, "b": 2})
    assert found.content == [{"type": "text", "text": "3"}]
    assert found.structured_content == {"result": 3} and not found.is_error


async def test_a_picture_comes_as_a_picture(connectors: Asking, server: RunningMcp) -> None:
    words, picture = (await connectors.at(server.url).call("picture")).content
    assert words["text"] == "a llama"
    assert (picture["type"], picture["mimeType"]) == ("image", "image/png")
    assert base64.b64decode(picture["data"]) == PIXEL


async def test_a_tool_that_fails_says_so_in_its_result(connectors: Asking, server: RunningMcp) -> None:
    found = await connectors.at(server.url).call("fails")
    assert found.is_error and "the llama is asleep" in found.content[0]["text"]


async def test_a_tool_that_is_not_there_is_not_asked_for(connectors: Asking, server: RunningMcp) -> None:
    with pytest.raises(NotFound) as caught:
        await connectors.at(server.url).call("picturs")
    assert "`picturs`" in caught.value.message and "`picture`" in str(caught.value.hint)
    assert server.times("tools/call") == 0


async def test_only_allowed_tools_are_shown_and_called(connectors: Asking, newest: RunningMcp) -> None:
    some = Known(id="some", facts={"url": newest.url, "allowed_tools": ["add", "long"]})
    assert await connectors.names(some) == ["add", "long"]
    assert (await connectors.call("add", {"a": 2, "b": 2}, some)).structured_content == {"result": 4}
    with pytest.raises(NotFound):
        await connectors.call("fails", {}, some)
    assert newest.times("tools/call") == 1


async def test_a_result_that_is_too_long_is_cut_and_says_so(server: RunningMcp) -> None:
    async with asking(max_result_bytes=2048) as connectors:
        at = connectors.at(server.url)
        begun, said = (await at.call("long", {"size": 100_000})).content
        assert set(begun["text"]) == {"a"} and 1500 < len(begun["text"]) <= 2048
        assert "more than 2048 bytes" in said["text"]
        whole = await at.call("long", {"size": 1000})
        assert [len(part["text"]) for part in whole.content] == [1000]


async def test_a_call_has_a_limit_of_time_after_which_the_server_is_told(server: RunningMcp) -> None:
    async with asking(call_timeout_s=0.3) as connectors:
        at = connectors.at(server.url)
        with pytest.raises(UpstreamTimeout) as caught:
            await at.call("slow")
        assert caught.value.status == 504 and "`slow` in 0.3 s" in caught.value.message
        await asyncio.wait_for(server.cancelled.wait(), 10)
        assert (await at.call("add", {"a": 1, "b": 1})).structured_content == {"result": 2}


async def test_a_server_with_too_many_tools_is_an_error(newest: RunningMcp) -> None:
    async with asking(max_tools=3) as connectors:
        with pytest.raises(Exception, match="more than 3 tools"):
            await connectors.at(newest.url).tools()


async def test_a_long_description_is_cut(newest: RunningMcp) -> None:
    async with asking(max_description_chars=4) as connectors:
        tools = {tool.name: tool for tool in await connectors.at(newest.url).tools()}
    assert tools["add"].description == "Adds… (cut off)"


async def test_two_servers_with_one_tool_are_asked_apart(connectors: Asking) -> None:
    async with mcp_server() as one, mcp_server() as other:
        await connectors.at(one.url).call("add", {"a": 1, "b": 1})
        await connectors.at(other.url).call("add", {"a": 1, "b": 1})
        assert (one.ran, other.ran) == (["add"], ["add"])
        assert connectors.left == (2, 2)


async def test_a_server_is_named_once(connectors: Asking, newest: RunningMcp) -> None:
    known = Known(id="known", facts={"url": newest.url})
    with pytest.raises(RequestError, match="another address"):
        await connectors.tools(known, url="http://other.example/mcp")
    with pytest.raises(RequestError, match="connector or by its address"):
        await connectors.tools()
