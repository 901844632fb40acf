"""Tools, and which of them a model must call, as Gemini has them.

https://ai.google.dev/api/caching#Tool, https://ai.google.dev/gemini-api/docs/function-calling#function_calling_modes
(read November 2026)
"""

from __future__ import annotations

from typing import Any

from runtime.apis.inference.tool_use import named_in
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_OWN = {
    "google_search": "googleSearch",
    "code_execution": "codeExecution",
    "url_context": "urlContext",
    "google_maps": "googleMaps",
    "file_search": "fileSearch",
}
"""Tools that Google runs, by their type in a request; their settings are beside it, under the same name."""


def fit_tools(body: Json, provider_id: str) -> Json:
    """`tools` and `toolConfig`, of the fields that are taken from `body`. Raises RequestError for a tool or a choice
    that Gemini does not have.
    """
    given, choice = body.pop("tools", None) or [], body.pop("tool_choice", None)
    searches = body.pop("web_search_options", None) is not None
    functions = [tool["function"] for tool in given if tool["type"] == "function"]
    tools = [_own(tool, provider_id) for tool in given if tool["type"] != "function"]
    if searches:
        tools.append({"googleSearch": {}})
    if functions:
        tools.append({"functionDeclarations": [_declared(function) for function in functions]})
    made: Json = {"tools": tools} if tools else {}
    config = _config(choice, functions, provider_id)
    return made | ({"toolConfig": {"functionCallingConfig": config}} if config else {})


def _own(tool: Json, provider_id: str) -> Json:
    kind = tool["type"]
    if kind not in _OWN:
        raise refusal("tools", provider_id, f"has no tools of the type `{kind}`")
    settings = tool.get(kind)
    return {_OWN[kind]: settings if isinstance(settings, dict) else {}}


def _declared(function: Json) -> Json:
    made = {"name": function["name"]}
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("parameters"):
        made["parametersJsonSchema"] = function["parameters"]
    return made


def _config(choice: Any, functions: list[Json], provider_id: str) -> Json | None:
    """Without a choice, a model may call; `VALIDATED` holds it to the schemas where one of them is strict."""
    if not functions:
        if choice not in (None, "none", "auto"):
            raise refusal("tool_choice", provider_id, "can be made to call functions only, and there are none")
        return None
    if choice in (None, "auto"):
        return {"mode": "VALIDATED"} if any(function.get("strict") for function in functions) else None
    if choice in ("none", "required"):
        return {"mode": "NONE" if choice == "none" else "ANY"}
    names = named_in(choice)
    if not names or not {*names} <= {function["name"] for function in functions}:
        raise refusal("tool_choice", provider_id, "can choose only among functions")
    is_free = choice["type"] == "allowed_tools" and choice["allowed_tools"]["mode"] == "auto"
    return {"mode": "VALIDATED" if is_free else "ANY", "allowedFunctionNames": names}
