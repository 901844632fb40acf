"""What a request's tools hold for their servers alone: never kept, never shown, never told to the model.

A response shows a tool without them, of the address its origin, and of `args` a mask for what may be one. A job on disk
has none either: they are in the memory of the process that took the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.addresses import keys_in, origin_of
from runtime.errors import Unavailable
from runtime.redaction import redact
from runtime.sse import Json

Secrets = Mapping[int, Json]
"""What was taken out of tools, by their places."""
_CREDENTIALS = ("headers", "authorization")
_ARGUMENTS = "args"
"""What each call of a tool has beside the model's arguments."""
_TAKEN = "credentials_taken"
"""Marks a tool that is not whole."""


def shown_mcp(tool: Json) -> Json:
    """With the members that OpenAI's always has; of the address the scheme and the host, as there: some servers have
    keys in their paths.
    """
    kept = {name: value for name, value in tool.items() if name not in _CREDENTIALS}
    if url := tool.get("server_url"):
        kept["server_url"] = origin_of(url)
    if isinstance(required := tool.get("require_approval"), dict):
        kept["require_approval"] = {name: _as_filter(named) for name, named in required.items()}
    usual = {"allowed_tools": None, "headers": None, "require_approval": "always", "server_description": None}
    return usual | {name: value for name, value in kept.items() if value is not None}


def with_shown_arguments(tool: Json) -> Json:
    """With `********` in its `args` for what may be a secret."""
    return {**tool, _ARGUMENTS: redact(tool[_ARGUMENTS])} if tool.get(_ARGUMENTS) else tool


def without_credentials(request: Json) -> tuple[Json, Secrets]:
    """A request without what must not be on disk, and that."""
    secrets: dict[int, Json] = {}
    tools: list[Json] = []
    for place, tool in enumerate(request.get("tools") or ()):
        if taken := _secrets_of(tool):
            secrets[place] = taken
            tool = {name: value for name, value in tool.items() if name not in taken} | {_TAKEN: True}
        tools.append(tool)
    return ({**request, "tools": tools} if secrets else request), secrets


def with_credentials(request: Json, secrets: Secrets) -> Json:
    """What `without_credentials` was given. Raises Unavailable where what was taken out is not known here."""
    tools: Sequence[Json] = request.get("tools") or ()
    if not any(tool.get(_TAKEN) for tool in tools):
        return request
    completed = []
    for place, tool in enumerate(tools):
        if tool.get(_TAKEN):
            if place not in secrets:
                whose = f"the MCP server `{tool['server_label']}`" if _is_mcp(tool) else f"`tools[{place}]`"
                raise Unavailable(
                    f"The credentials for {whose} are gone: they were in the memory of the server process that took"
                    " the request, and on no disk",
                    hint="ask for the response again",
                )
            tool = {name: value for name, value in tool.items() if name != _TAKEN} | secrets[place]
        completed.append(tool)
    return {**request, "tools": completed}


def _as_filter(named: object) -> object:
    """Names alone are llama-stack's spelling."""
    return {"tool_names": named} if isinstance(named, list) else named


def _is_mcp(tool: Json) -> bool:
    return tool.get("type") == "mcp"


def _secrets_of(tool: Json) -> Json:
    if _is_mcp(tool):
        return {name: value for name, value in tool.items() if _is_secret(name, value)}
    return {_ARGUMENTS: tool[_ARGUMENTS]} if with_shown_arguments(tool) != tool else {}


def _is_secret(name: str, value: object) -> bool:
    return bool(value) and (name in _CREDENTIALS or (name == "server_url" and _has_secrets(str(value))))


def _has_secrets(url: str) -> bool:
    """Whether an address may hold a key."""
    return "?" in url or "@" in url or "#" in url or bool(keys_in(url))
