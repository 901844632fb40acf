"""Calls of tools as earlier answers have them."""

from __future__ import annotations

from runtime.sse import Json, decode


def called(call_id: str, name: str, written: str) -> tuple[Json, bool]:
    """A call, and whether what the model has written as its arguments is a JSON object."""
    try:
        arguments: Json | str = decode(written.encode() or b"{}")
    except (ValueError, TypeError):
        arguments = written
    said = {"call_id": call_id, "tool_name": name, "arguments": arguments, "arguments_json": written or "{}"}
    return said, isinstance(arguments, dict)
