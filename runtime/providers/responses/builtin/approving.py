"""Calls that the caller was asked about, and what the caller answered.

An answer is to a request that goes before it, and the only one to it. What is allowed is called once: by the response
whose input has the answer. Where a caller keeps all items itself, old answers come again; what the model said or called
behind one was said with that call made, so it is not made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.errors import RequestError
from runtime.sse import Json

_OF_A_MODEL = ("reasoning", "function_call", "custom_tool_call", "mcp_call", "mcp_approval_request")


@dataclass(frozen=True, kw_only=True)
class Approved:
    """A call that the caller has allowed now. id: of the item that asked for it; label: of its server."""

    id: str
    label: str
    name: str
    arguments: str


def approved_now(items: Sequence[Json], own: Sequence[Json]) -> list[Approved]:
    """items: the history, with those of the request. own: those of the request alone.

    Raises RequestError for an answer to nothing, and for a second one.
    """
    if all(item["type"] != "mcp_approval_response" for item in items):
        return []
    asked: dict[str, Json] = {}
    answered: set[str] = set()
    for item in items:
        if item["type"] == "mcp_approval_request":
            asked[item["id"]] = item
        elif item["type"] == "mcp_approval_response":
            _check(item["approval_request_id"], asked, answered)
            answered.add(item["approval_request_id"])
    last = max((place for place, item in enumerate(own) if _is_of_a_model(item)), default=-1)
    called = {item.get("approval_request_id") for item in items if item["type"] == "mcp_call"}
    return [
        Approved(id=id, label=asked[id]["server_label"], name=asked[id]["name"], arguments=asked[id]["arguments"])
        for item in own[last + 1 :]
        if item["type"] == "mcp_approval_response" and item["approve"]
        if (id := item["approval_request_id"]) not in called
    ]


def _check(id: str, asked: dict[str, Json], answered: set[str]) -> None:
    if id in answered:
        raise RequestError(
            f"The `mcp_approval_request` `{id[:100]}` has two answers",
            hint="send one, with the first response that is made after it",
            param="input",
        )
    if id not in asked:
        raise RequestError(
            f"An `mcp_approval_response` answers `{id[:100]}`, and no such `mcp_approval_request` goes before it",
            hint="send that item too, or name its response as `previous_response_id`",
            param="input",
        )


def _is_of_a_model(item: Json) -> bool:
    if item["type"] == "message":
        return bool(item["role"] == "assistant")
    return item["type"] in _OF_A_MODEL
