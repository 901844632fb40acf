"""Tools, and which of them a model must call.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools,
https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool (read November 2026)
"""

from __future__ import annotations

import re
from typing import Any

from runtime.apis.inference.tool_use import named_in
from runtime.context import warn
from runtime.providers.inference._messages.blocks import CACHED
from runtime.providers.inference._messages.models import Model
from runtime.providers.inference._messages.schemas import Open, held
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_OWN = re.compile(r"[a-z_]+_20\d{6}|mcp_toolset")
"""Types of Anthropic's own tools, which name their version: `web_search_20250305`."""
_SEARCH: Json = {"type": "web_search_20250305", "name": "web_search"}
_MORE = (CACHED, "defer_loading", "eager_input_streaming", "input_examples", "allowed_callers")
"""Anthropic's own fields of a function, in it or beside it."""
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def fit_tools(body: Json, model: Model, provider_id: str) -> Json:
    """`tools` and `tool_choice`, of the fields that are taken from `body`. Raises RequestError for a tool or a choice
    that Anthropic does not have.
    """
    given, choice = body.pop("tools", None) or [], body.pop("tool_choice", None)
    is_one_at_a_time = body.pop("parallel_tool_calls", None) is False
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        allowed = named_in(choice)
        _check_named(allowed, given, provider_id)
        given = [tool for tool in given if tool["type"] != "function" or tool["function"]["name"] in allowed]
        choice = choice["allowed_tools"]["mode"]
    tools = [_tool(tool, model, provider_id) for tool in given]
    if (search := body.pop("web_search_options", None)) is not None:
        tools.append(_SEARCH | _place(search))
    made = _choice(choice, given, model, provider_id)
    if not tools:
        if made.get("type") not in (None, "auto", "none"):
            raise refusal("tool_choice", provider_id, "can be made to call tools only, and there are none")
        return {}
    if is_one_at_a_time and made.get("type") != "none":
        made = {"type": "auto", **made, "disable_parallel_tool_use": True}
    return {"tools": tools, **({"tool_choice": made} if made else {})}


def _tool(tool: Json, model: Model, provider_id: str) -> Json:
    kind = tool["type"]
    if kind != "function":
        if not _OWN.fullmatch(kind):
            raise refusal("tools", provider_id, f"has no tools of the type `{kind}`")
        return tool
    function = tool["function"]
    schema = {name: value for name, value in (function.get("parameters") or {}).items() if name != "$schema"}
    made: Json = {"name": function["name"], "input_schema": {"type": "object", **schema}}
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict"):
        made |= _strict(made["input_schema"], model, provider_id)
    return made | {name: holder[name] for holder in (function, tool) for name in _MORE if holder.get(name) is not None}


def _strict(schema: Json, model: Model, provider_id: str) -> Json:
    field = "tools[].function.strict"
    if not model.schemas:
        warn(f"`{field}` has no effect: `{provider_id}` does not hold this model to a schema")
        return {}
    try:
        form, told = held(schema)
    except Open:
        warn(f"`{field}` has no effect: `{provider_id}` holds calls only to schemas whose objects name all properties")
        return {}
    if told:
        words = ", ".join(f"`{name}`" for name in sorted(told))
        warn(f"`{field}` does not hold to {words}: `{provider_id}` tells the model of them in words")
    return {"input_schema": form, "strict": True}


def _choice(choice: Any, tools: list[Json], model: Model, provider_id: str) -> Json:
    """Empty where nothing is chosen. A choice of Anthropic's own form stays as it is."""
    if choice is None or choice == "auto":
        return {}
    if isinstance(choice, dict) and choice["type"] in ("auto", "any", "tool", "none"):
        return choice
    if isinstance(choice, str) and choice in _CHOICES:
        made: Json = {"type": _CHOICES[choice]}
    elif isinstance(choice, dict) and choice["type"] == "function":
        names = named_in(choice)
        _check_named(names, tools, provider_id)
        made = {"type": "tool", "name": names[0]}
    else:
        word = choice if isinstance(choice, str) else choice["type"]
        raise refusal("tool_choice", provider_id, f"has no choice `{word}`")
    if made["type"] != "none" and not model.forced:
        raise refusal("tool_choice", provider_id, "cannot be made to call a tool with this model")
    return made


def _check_named(names: list[str], tools: list[Json], provider_id: str) -> None:
    functions = {tool["function"]["name"] for tool in tools if tool["type"] == "function"}
    if not names or not {*names} <= functions:
        raise refusal("tool_choice", provider_id, "can choose only among functions")


def _place(search: Json) -> Json:
    """Where the user is, for a search."""
    place = (search.get("user_location") or {}).get("approximate") or {}
    return {"user_location": {"type": "approximate", **place}} if place else {}
