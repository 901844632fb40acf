"""One tool of an MCP server: asked for, allowed, called, and what it gave back as a text.

Whatever goes wrong is told to the model, and is the `error` of the call's item; the response goes on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.apis.connectors.protocol import CallServerToolRequest, Connectors, ToolOutcome
from runtime.apis.inference.calls import Call
from runtime.errors import NotFound, StackError, UpstreamError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.arguments import arguments_of
from runtime.providers.responses.builtin.offering import Corrects
from runtime.providers.responses.builtin.outcomes import FAILED, TOOL_FAILED, bounded
from runtime.sse import Json, encode
from runtime.telemetry.tool_calls import TOOL_ERROR, note_failure

_INVALID_PARAMS = -32602
"""JSON-RPC 2.0's code for arguments that are wrong, and MCP's for a tool that is not there."""


@dataclass(frozen=True, kw_only=True)
class ToolServer:
    """at: where it is and as whom it is asked, as `McpServer` has it; not shown where this is printed."""

    connectors: Connectors
    label: str
    at: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"ToolServer(label={self.label!r})"


class McpFunction(Corrects):
    """name: at the server. asks_first: whether the caller has to allow each call."""

    def __init__(self, server: ToolServer, name: str, *, asks_first: bool) -> None:
        self._server = server
        self._name = name
        self._asks_first = asks_first

    def asks(self, call: Call, answering: Answering) -> bool:
        """See `Tool.asks`. Nobody is asked about arguments that make no sense."""
        if not self._asks_first or arguments_of(call.arguments)[1]:
            return False
        item = answering.new_item(
            "mcp_approval_request", server_label=self._server.label, name=self._name, arguments=call.arguments or "{}"
        )
        answering.done(answering.add(item))
        return True

    async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        """See `Tool.run`. Arguments that make no sense are said to the model once; then the item has failed."""
        arguments, wrong = arguments_of(call.arguments)
        if said := self.said(wrong, call):
            yield said
            return
        item = answering.new_item(
            "mcp_call",
            status="in_progress",
            server_label=self._server.label,
            name=self._name,
            arguments="",
            approval_request_id=call.allowed_by,
            output=None,
            error=None,
        )
        place = answering.add(item)
        where = {"item_id": item["id"], "output_index": place}
        answering.event("response.mcp_call.in_progress", where)
        item["arguments"] = call.arguments or "{}"
        answering.event("response.mcp_call_arguments.delta", {**where, "delta": item["arguments"]})
        answering.event("response.mcp_call_arguments.done", {**where, "arguments": item["arguments"]})
        if wrong:
            item["error"], told = _protocol_error(wrong), f"{FAILED}{wrong}"
        else:
            yield ""
            item["output"], item["error"], told = await self._call(arguments)
        item["status"] = "completed" if item["error"] is None else "failed"
        answering.event(f"response.mcp_call.{item['status']}", where)
        answering.done(place)
        yield told

    async def _call(self, arguments: Json) -> tuple[str | None, Json | None, str]:
        """Its output or error, and what the model is told."""
        asked = CallServerToolRequest(tool_name=self._name, arguments=arguments, **self._server.at)
        try:
            outcome = await self._server.connectors.call_server_tool(asked)
        except StackError as error:
            note_failure(error)
            return None, _error_of(error), f"{FAILED}{error.message}"
        text = bounded(text_of(outcome))
        if outcome.is_error:
            note_failure(TOOL_ERROR)
            content = [{"type": "text", "text": text}]
            return None, {"type": "mcp_tool_execution_error", "content": content}, f"{TOOL_FAILED}{text}"
        return text, None, text


def text_of(outcome: ToolOutcome) -> str:
    """What a model can read of it: texts, and of anything else what it is."""
    if not outcome.content and outcome.structured_content is not None:
        return encode(outcome.structured_content).decode()
    return "\n".join(_told(part) for part in outcome.content)


def _told(part: Json) -> str:
    """A part of what a tool gives back, as MCP has it.

    https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result
    """
    kind = part.get("type")
    if kind == "text":
        return str(part.get("text") or "")
    if kind == "resource_link":
        named = part.get("title") or part.get("name") or ""
        return " ".join(filter(None, [str(named), f"<{part.get('uri')}>", str(part.get("description") or "")]))
    resource = part.get("resource") if kind == "resource" else None
    if isinstance(resource, dict):
        if isinstance(resource.get("text"), str):
            return f"<{resource.get('uri')}>\n{resource['text']}"
        return f"[{resource.get('mimeType') or 'data'} of <{resource.get('uri')}>, not shown]"
    return f"[{kind} of type {part.get('mimeType') or 'unknown'}, not shown]"


def _error_of(error: StackError) -> Json:
    """As OpenAI has it."""
    if isinstance(error, NotFound):
        return _protocol_error(error.message)
    status = error.upstream_status if isinstance(error, UpstreamError) else None
    return {"type": "http_error", "code": status or error.status, "message": error.message}


def _protocol_error(words: str) -> Json:
    return {"type": "mcp_protocol_error", "code": _INVALID_PARAMS, "message": words}
