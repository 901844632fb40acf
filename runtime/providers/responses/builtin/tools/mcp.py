"""`mcp`: the tools of an MCP server, each a function that the model can call.

They are listed before the model is asked: a server that cannot be asked is an error of the request. Who may call what,
and what the caller has to allow first, is the request's to say. How servers are spoken to is `connectors`' alone.

When items are read again, an `mcp_call` is a call of the assistant's message and what it gave back, and an
`mcp_approval_response` that refuses is the same of the call that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis.connectors.protocol import ConnectorTool, McpServer
from runtime.apis.inference.calls import Call
from runtime.apis.responses.tools.mcp import KIND
from runtime.apis.responses.tools.mcp.tool import McpTool
from runtime.context import warn
from runtime.errors import NotSupported, RequestError, StackError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.offering import Asked, Function, Offer, ToolHandler, ToRun
from runtime.providers.responses.builtin.outcomes import outcome_of
from runtime.providers.responses.builtin.tools._mcp_call import McpFunction, ToolServer
from runtime.providers.responses.builtin.transcript import Transcript
from runtime.sse import Json

NAME = KIND.name


async def offer(given: McpTool, where: str, asked: Asked) -> Offer:
    """See `Offering`. Raises NotSupported where nothing speaks to MCP servers, RequestError for a label that
    two tools have and for an allowed call of a tool that is not there, what `Connectors.list_server_tools` raises.
    """
    label: str = given["server_label"]
    if (connectors := asked.apis.connectors) is None:
        raise NotSupported(f"`{where}` is `{NAME}`, and no provider serves `connectors`", param="tools")
    if [tool.get("server_label") for tool in asked.request.tools or ()].count(label) > 1:
        raise RequestError(f"`{where}` has the `server_label` `{label}`, as another tool has", param="tools")
    server = ToolServer(connectors=connectors, label=label, at=_address(given))
    listed = [tool for tool in await _listed(server, where) if _is_allowed(tool, given.get("allowed_tools"))]
    _warn_of_unknown(given.get("allowed_tools"), listed, where, label)
    functions = {
        tool.name: Function(
            kind=NAME,
            name=tool.name,
            definition=_definition(tool, given),
            tool=McpFunction(server, tool.name, asks_first=_asks_first(tool, given.get("require_approval"))),
            label=label,
        )
        for tool in listed
    }
    told = ToolsOfServer(label=label, tools=[_shown(tool) for tool in listed])
    return Offer(
        functions=[*functions.values()],
        openings=[] if told.is_known(asked.items) else [told],
        allowed=_allowed(asked, label, functions),
    )


@dataclass(frozen=True, kw_only=True)
class ToolsOfServer:
    """What is put at the beginning of the output, unless the history has it."""

    label: str
    tools: Sequence[Json]

    def is_known(self, items: Iterable[Json]) -> bool:
        """Whether the last that was told of this server is the same."""
        told = [item for item in items if item["type"] == "mcp_list_tools" and item["server_label"] == self.label]
        return bool(told) and [_said(tool) for tool in told[-1]["tools"]] == self.tools

    def tell(self, answering: Answering) -> None:
        item = answering.new_item("mcp_list_tools", server_label=self.label, tools=[])
        place = answering.add(item)
        where = {"item_id": item["id"], "output_index": place}
        answering.event("response.mcp_list_tools.in_progress", where)
        item["tools"] = self.tools
        answering.event("response.mcp_list_tools.completed", where)
        answering.done(place)


def _address(given: McpTool) -> Json:
    """As `McpServer` has it."""
    facts = {
        "connector_id": given.get("connector_id"),
        "url": given.get("server_url"),
        "headers": given.get("headers"),
        "authorization": given.get("authorization"),
    }
    return {name: value for name, value in facts.items() if value}


async def _listed(server: ToolServer, where: str) -> Sequence[ConnectorTool]:
    try:
        return (await server.connectors.list_server_tools(McpServer(**server.at))).data
    except StackError as error:
        words = f"The tools of the MCP server `{server.label}` cannot be listed: {error.message}"
        raise error.saying(words, param=where) from error


def _is_allowed(tool: ConnectorTool, allowed: Any) -> bool:
    return allowed is None or _is_meant(tool, allowed)


def _asks_first(tool: ConnectorTool, required: Any) -> bool:
    """Whether the caller has to allow a call."""
    if not isinstance(required, dict):
        return bool(required != "never")
    return not _is_named(tool, required.get("never")) or _is_named(tool, required.get("always"))


def _is_named(tool: ConnectorTool, meant: list[str] | Json | None) -> bool:
    """Whether it is among these: a filter without a condition names none."""
    if meant is None or (isinstance(meant, dict) and all(value is None for value in meant.values())):
        return False
    return _is_meant(tool, meant)


def _is_meant(tool: ConnectorTool, meant: list[str] | Json) -> bool:
    """meant: names, or a filter."""
    if isinstance(meant, list):
        return tool.name in meant
    names, read_only = meant.get("tool_names"), meant.get("read_only")
    is_read_only = (tool.annotations or {}).get("readOnlyHint") is True
    return (names is None or tool.name in names) and read_only in (None, is_read_only)


def _warn_of_unknown(allowed: Any, listed: Sequence[ConnectorTool], where: str, label: str) -> None:
    names = allowed if isinstance(allowed, list) else (allowed or {}).get("tool_names")
    if missing := sorted({*(names or ())} - {tool.name for tool in listed}):
        shown = ", ".join(f"`{name[:100]}`" for name in missing[:10])
        warn(f"`{where}.allowed_tools` names {shown}, which are not among the tools of `{label}` that may be called")


def _definition(tool: ConnectorTool, given: McpTool) -> Json:
    """What the model is told."""
    described = [tool.description or tool.title or ""]
    if about := given.get("server_description"):
        described.append(f"({given['server_label']}: {about})")
    return {"description": "\n\n".join(filter(None, described)), "parameters": tool.input_schema}


def _shown(tool: ConnectorTool) -> Json:
    shown = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.input_schema,
        "annotations": tool.annotations,
    }
    return _said(shown)


def _said(tool: Json) -> Json:
    """Without members that are null: some clients take none, and others put them back."""
    return {name: value for name, value in tool.items() if value is not None}


def _allowed(asked: Asked, label: str, functions: dict[str, Function]) -> list[ToRun]:
    """The calls of this server that the caller has allowed now. Their ids are those of no others."""
    found = []
    for number, one in enumerate(asked.approved):
        if one.label != label:
            continue
        function = functions.get(one.name)
        if function is None or function.tool is None:
            raise RequestError(
                f"The call `{one.id[:100]}` is allowed, and no tool `{one.name[:100]}` of `{label}` may be called",
                hint="leave out the answer, or answer that it is not allowed",
                param="input",
            )
        id = f"call_allowed_{number}"
        call = Call(given=id, name=one.name, index=None, id=id, allowed_by=one.id, parts=[one.arguments])
        found.append(ToRun(call=call, tool=function.tool))
    return found


def _recall(item: Json, transcript: Transcript) -> None:
    if item["type"] == "mcp_approval_request":
        transcript.referred[item["id"]] = item
    elif (call := _called(item, transcript)) is not None:
        name = transcript.name_of(call["server_label"], call["name"])
        transcript.made("mcp", name, call["arguments"], outcome_of(item))


def _called(item: Json, transcript: Transcript) -> Json | None:
    """What says which call an item is of; None for one that is of no call that is over."""
    if item["type"] == "mcp_call":
        return item
    if item["type"] == "mcp_approval_response" and not item["approve"]:
        return transcript.referred.get(item["approval_request_id"])
    return None


TOOL = ToolHandler(kind=KIND, offer=offer, recall=_recall)
