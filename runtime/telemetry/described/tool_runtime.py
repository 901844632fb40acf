"""Calls of tools: which one, and whether it has failed. Neither its arguments nor what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.telemetry import conventions as names
from runtime.telemetry.operation import EXECUTE_TOOL, Described, Fields, bounded
from runtime.telemetry.spans import Attribute, Span
from runtime.telemetry.tool_calls import TOOL_ERROR, is_told


class ToolCall(Described):
    """A call, which is no operation of its own where it is what a tool's call of a model leads to."""

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        name = bounded(request.tool_name)
        attributes: dict[str, Attribute] = {names.TOOL_NAME: name, names.TOOL_TYPE: "extension"}
        if is_told():
            return "", attributes
        attributes[names.OPERATION] = EXECUTE_TOOL
        return f"{EXECUTE_TOOL} {name}", attributes

    def answer(self, span: Span, answer: Any) -> None:
        if self.has_failed(answer):
            span.error = TOOL_ERROR

    def has_failed(self, answer: Any) -> bool:
        """Whether the tool says so."""
        return answer.error_message is not None or bool(answer.error_code)


DESCRIBED: Mapping[str, Described] = {
    "invoke_tool": ToolCall(),
    "list_tools": Fields(found={"data": names.TOOLS}),
    "list_server_tools": Fields(found={"data": names.TOOLS}),
}
