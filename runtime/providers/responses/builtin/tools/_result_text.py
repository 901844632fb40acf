"""What a model can read of what a tool of `tool_runtime` gave back."""

from __future__ import annotations

from runtime.apis.tool_runtime.protocol import ContentPart, ToolInvocationResult


def text_of(result: ToolInvocationResult) -> str:
    """Its texts; of an image, that there is one."""
    if isinstance(result.content, list):
        return "\n".join(filter(None, map(_text, result.content)))
    return result.content or ""


def _text(part: ContentPart) -> str:
    if part.type == "text":
        return part.text or ""
    address = (part.image or {}).get("url")
    at = address.get("uri") if isinstance(address, dict) else None
    return f"[image <{at}>, not shown]" if at else "[image, not shown]"
