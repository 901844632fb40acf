"""Servers that public reports say broke others' MCP clients: see `tests/reports.md`."""

from __future__ import annotations

import json
from http.server import ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

from tests.conformance.connectors.asking import Asking
from tests.support.mcp_server import mcp_server
from tests.support.small_server import SmallHandler, running, url_of

GENERATIONS = pytest.mark.parametrize("newest", [True, False], ids=["2026-07-28", "2025-11-25"])


def paged(*cursors: str | None) -> Server[Any]:
    """A server with one tool a page, and what each page says comes next; without a cursor it is asked for the first."""

    async def listed(context: Any, params: Any) -> ListToolsResult:
        given = params.cursor if params else None
        page = 0 if given is None else cursors.index(given) + 1
        tool = Tool(name=f"tool-{page}", input_schema={"type": "object"})
        return ListToolsResult(tools=[tool], next_cursor=cursors[page])

    return Server("paged", on_list_tools=listed)


@GENERATIONS
async def test_an_empty_cursor_that_leads_on_is_followed(connectors: Asking, newest: bool) -> None:
    async with mcp_server(made=paged("", "b", None), newest=newest) as server:
        assert await connectors.at(server.url).names() == ["tool-0", "tool-1", "tool-2"]


@GENERATIONS
async def test_an_empty_cursor_that_leads_to_the_beginning_is_the_end(connectors: Asking, newest: bool) -> None:
    async def listed(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="only", input_schema={"type": "object"})], next_cursor="")

    async with mcp_server(made=Server("endless", on_list_tools=listed), newest=newest) as server:
        assert await connectors.at(server.url).names() == ["only"]
        assert server.times("tools/list") == 2


SCHEMAS: dict[str, dict[str, Any]] = {
    "empty": {},
    "draft-alone": {"$schema": "http://json-schema.org/draft-07/schema#"},
    "properties-null": {"type": "object", "properties": None, "required": None},
    "no-type": {"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}}]},
    "no-properties": {"type": "object"},
}


class Written(SmallHandler):
    """A server without the SDK, which would refuse to say these. It speaks the generation that the class has."""

    tools: ClassVar[list[Any]] = [
        *({"name": name, "inputSchema": schema} for name, schema in SCHEMAS.items()),
        {"name": "nulls", "title": None, "description": None, "inputSchema": None, "outputSchema": None},
        {"name": "bare", "annotations": None, "icons": None},
        None,
    ]

    def do_POST(self) -> None:
        self.asked = asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method = asked["method"]
        if "id" not in asked:
            self.answer(b"", status=202)
            return
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        if method == "initialize":
            about = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
            said["result"] = {**about, "serverInfo": {"name": "written", "version": "1"}}
        elif method == "tools/list":
            said["result"] = {"tools": self.tools, "nextCursor": None}
        else:
            said["error"] = {"code": -32601, "message": f"Method not found: {method}"}
        self.document(said)

    def do_GET(self) -> None:
        self.answer(b"", status=405)

    do_DELETE = do_GET


async def test_each_tool_takes_an_object_whatever_its_server_says(connectors: Asking) -> None:
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Written)) as server:
        found = {tool.name: tool.input_schema for tool in await connectors.at(url_of(server)).tools()}
    assert [*found] == [*SCHEMAS, "nulls", "bare"]
    for name, schema in found.items():
        said = {word: value for word, value in SCHEMAS.get(name, {}).items() if value is not None}
        assert schema == {"type": "object", "properties": {}, **said}


@GENERATIONS
async def test_arguments_that_no_schema_names_reach_the_tool(connectors: Asking, newest: bool) -> None:
    async def listed(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="echo", input_schema={"type": "object"})])

    async def called(context: Any, params: Any) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=str(params.arguments))])

    made = Server("odd", on_list_tools=listed, on_call_tool=called)
    async with mcp_server(made=made, newest=newest) as server:
        outcome = await connectors.at(server.url).call("echo", {"a": [1, None]})
    assert outcome.content[0]["text"] == "{'a': [1, None]}"


@GENERATIONS
@pytest.mark.parametrize("is_error", [False, True])
async def test_a_result_that_does_not_fit_the_tool_s_own_schema_is_told(
    connectors: Asking, newest: bool, is_error: bool
) -> None:
    wanted = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

    async def listed(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="add", input_schema={"type": "object"}, output_schema=wanted)])

    async def called(context: Any, params: Any) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text="said in words")], is_error=is_error)

    made = Server("odd", on_list_tools=listed, on_call_tool=called)
    async with mcp_server(made=made, newest=newest) as server:
        at = connectors.at(server.url)
        await at.tools()
        outcome = await at.call("add")
    assert outcome.content[0]["text"] == "said in words" and outcome.is_error == is_error


RESULTS: dict[str, dict[str, Any]] = {
    "structured": {"content": [], "structuredContent": {"total": 36}},
    "structured-alone": {"structuredContent": {"total": 36}},
    "error-alone": {"isError": True},
    "nulls": {"content": None, "structuredContent": {"total": 36}, "isError": None, "_meta": None},
    "own-kind": {"content": [{"type": "hologram", "data": "x"}, {"type": "text", "text": "Lima", "annotations": None}]},
    "no-kind": {"content": [{"type": ["text"], "text": "x"}, {"text": "y"}, {"type": "text", "text": "Lima"}, None]},
    "null-alone": {"content": None},
    "separators": {"content": [{"type": "text", "text": "a\u2028b\u2029c"}]},
}
LISTED: dict[str, dict[str, Any]] = {
    "definitions": {
        "type": "object",
        "properties": {"q": {"$ref": "#/$defs/Q"}, "any": True},
        "required": ["q"],
        "$defs": {"Q": {"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": False}},
    },
    "open": {"type": "object", "properties": {}, "additionalProperties": {}},
}


class Streaming(Written):
    """The same with answers as events: an empty one before each, and Unicode as it is."""

    tools: ClassVar[list[Any]] = [
        *({"name": name, "inputSchema": schema} for name, schema in LISTED.items()),
        *({"name": name} for name in RESULTS),
    ]

    def document(self, value: Any) -> None:
        if "error" in value and (name := self.asked.get("params", {}).get("name")):
            value = {"jsonrpc": "2.0", "id": value["id"], "result": RESULTS[name]}
        said = json.dumps(value, ensure_ascii=False)
        events = f"id: 0\nretry: 3000\ndata:\n\n: ping\n\nevent: message\nid: 1\ndata: {said}\n\n"
        self.answer(events.encode(), kind="text/event-stream;charset=utf-8")


async def test_a_schema_is_told_with_all_that_it_refers_to(connectors: Asking) -> None:
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Streaming)) as server:
        found = {tool.name: tool.input_schema for tool in await connectors.at(url_of(server)).tools()}
    assert {name: found[name] for name in LISTED} == LISTED


@pytest.mark.parametrize(
    ("name", "texts", "structured"),
    [
        ("structured", [], {"total": 36}),
        ("structured-alone", [], {"total": 36}),
        ("error-alone", [], None),
        ("nulls", [], {"total": 36}),
        ("own-kind", ["[hologram, not shown]", "Lima"], None),
        ("no-kind", ["[part of no kind, not shown]"] * 2 + ["Lima"], None),
        ("null-alone", [], None),
        ("separators", ["a\u2028b\u2029c"], None),
    ],
)
async def test_a_result_that_is_not_quite_the_protocol_s_is_told(
    connectors: Asking, name: str, texts: list[str], structured: Any
) -> None:
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Streaming)) as server:
        outcome = await connectors.at(url_of(server)).call(name)
    assert [part["text"] for part in outcome.content] == texts and outcome.structured_content == structured
    assert outcome.is_error == (name == "error-alone")
