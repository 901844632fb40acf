"""Lists of tools that are not quite MCP's, put right before the SDK reads them: it refuses the whole list for one tool.

Some servers say `{}` for a schema or leave out its type beside an `anyOf`, and some write null for what is not there.
"""

from __future__ import annotations

from typing import Any


def correct(message: object) -> None:
    """Puts a message of a server right where it lists tools; another one stays as it is. message: of the SDK's."""
    result = getattr(getattr(message, "message", None), "result", None)
    tools = result.get("tools") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(tools, list):
        return
    if "nextCursor" in result and result["nextCursor"] is None:
        del result["nextCursor"]
    result["tools"] = [_corrected(tool) if isinstance(tool, dict) else tool for tool in tools if tool is not None]


def _corrected(tool: dict[str, Any]) -> dict[str, Any]:
    said = _said(tool)
    schema = said.get("inputSchema", {})
    if isinstance(schema, dict):
        said["inputSchema"] = {"type": "object", "properties": {}, **_said(schema)}
    return said


def _said(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
