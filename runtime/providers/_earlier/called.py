"""Calls of tools as earlier answers have them."""

from __future__ import annotations

from runtime.sse import Json, decode


def called(call_id: str, name: str, written: str) -> tuple[Json, bool]:
    """A call, and whether what the model has written as its arguments is a JSON object."""
    arguments = arguments_in(written)
    said = {"call_id": call_id, "tool_name": name, "arguments": arguments, "arguments_json": written or "{}"}
    return said, isinstance(arguments, dict)


def arguments_in(written: str) -> Json | str:
    """The arguments that a model has written; what it has written, where that is no JSON object."""
    try:
        return decode(written.encode() or b"{}")
    except (ValueError, TypeError):
        return written
