"""Lists of tools and results of calls that are not quite MCP's, put right before the SDK reads them: it refuses a whole
list for one tool, and a whole result for one part.

Some servers say `{}` for a schema or leave out its type beside an `anyOf`, some give structured content alone or kinds
of parts of their own, and some write null for what is not there.
"""

from __future__ import annotations

from typing import Any

_PARTS = frozenset(("text", "image", "audio", "resource_link", "resource"))
_OF_CALLS = frozenset(("content", "structuredContent", "isError"))
"""What tells the result of a call from others."""


def correct(message: object) -> None:
    """Puts a message of a server right where it lists tools or has the result of a call; another one stays as it is.
    message: of the SDK's.
    """
    result = getattr(getattr(message, "message", None), "result", None)
    if not isinstance(result, dict):
        return
    if isinstance(tools := result.get("tools"), list):
        if "nextCursor" in result and result["nextCursor"] is None:
            del result["nextCursor"]
        result["tools"] = [_corrected(tool) if isinstance(tool, dict) else tool for tool in tools if tool is not None]
    elif not _OF_CALLS.isdisjoint(result):
        _correct_result(result)


def _correct_result(result: dict[str, Any]) -> None:
    said = _said(result)
    content = said.get("content", [])
    if isinstance(content, list):
        content = [_part(part) for part in content if part is not None]
    said["content"] = content
    result.clear()
    result.update(said)


def _part(part: Any) -> Any:
    """A part of a result; one of a kind that MCP does not have is named."""
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if not isinstance(kind, str):
        kind = "part of no kind"
    return part if kind in _PARTS else {"type": "text", "text": f"[{kind}, not shown]"}


def _corrected(tool: dict[str, Any]) -> dict[str, Any]:
    said = _said(tool)
    schema = said.get("inputSchema", {})
    if isinstance(schema, dict):
        said["inputSchema"] = {"type": "object", "properties": {}, **_said(schema)}
    return said


def _said(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
