"""Asks for responses with tools of MCP servers that are written down."""

from __future__ import annotations

from typing import Any

from tests.conformance.responses.asking import Asking, Json
from tests.support.examples.servers import Servers

SECRET = "xyzzy-very-secret"


def mcp(label: str = "weather", **facts: Any) -> Json:
    """A tool of the request; nothing has to be allowed unless that is said."""
    return {
        "type": "mcp",
        "server_label": label,
        "server_url": f"http://{label}",
        "require_approval": "never",
        **facts,
    }


def items(response: Json, kind: str) -> list[Json]:
    return [item for item in response["output"] if item["type"] == kind]


def types(response: Json) -> list[str]:
    return [item["type"] for item in response["output"]]


def told(asking: Asking, number: int = -1) -> list[Json]:
    """What the model was told in one of its answers' requests, without what is behind its beginning."""
    messages: list[Json] = asking.vendor.calls("/chat/completions")[number].json()["messages"]
    return messages


def offered(asking: Asking, number: int = -1) -> list[str]:
    """The names of the functions that the model was offered."""
    body = asking.vendor.calls("/chat/completions")[number].json()
    return [one["function"]["name"] for one in body.get("tools") or ()]


__all__ = ["SECRET", "Servers", "items", "mcp", "offered", "told", "types"]
