"""A response's request as the request of a chat completion: everything but the messages."""

from __future__ import annotations

from typing import Any

from runtime.apis.inference.chat import ChatCompletionRequest
from runtime.apis.responses.request import CreateResponseRequest
from runtime.errors import RequestError
from runtime.sse import Json, encode

_SAME = (
    "temperature", "top_p", "frequency_penalty", "presence_penalty", "service_tier", "safety_identifier",
    "prompt_cache_key", "user",
)  # fmt: skip
"""Fields of both that mean the same."""
_UNSAID = ChatCompletionRequest.model_construct(_fields_set=set(), model="", messages=[])
"""One with nothing but defaults, of which copies are made: pydantic takes 40 us to put them together."""


def chat_settings(request: CreateResponseRequest, tools: list[Json]) -> Json:
    """tools: as chat completions have them, those that are run here among them. Raises RequestError for a
    `tool_choice` that names none of them.
    """
    given = request.model_fields_set
    asked: Json = {**(request.model_extra or {}), "model": request.model, "store": False}
    asked |= {name: value for name in _SAME if name in given and (value := getattr(request, name)) is not None}
    if request.max_output_tokens is not None:
        asked["max_completion_tokens"] = request.max_output_tokens
    if request.reasoning and request.reasoning.get("effort"):
        asked["reasoning_effort"] = request.reasoning["effort"]
    if request.text:
        if verbosity := request.text.get("verbosity"):
            asked["verbosity"] = verbosity
        if form := _response_format(request.text.get("format")):
            asked["response_format"] = form
    if request.includes("message.output_text.logprobs") or request.top_logprobs:
        asked |= {"logprobs": True, "top_logprobs": request.top_logprobs or 0}
    if tools:
        asked["tools"] = tools
        if request.tool_choice is not None:
            asked["tool_choice"] = _choice(request.tool_choice, {tool["function"]["name"] for tool in tools})
        if request.parallel_tool_calls is not None:
            asked["parallel_tool_calls"] = request.parallel_tool_calls
    elif isinstance(request.tool_choice, dict) or request.tool_choice == "required":
        raise RequestError("`tool_choice` asks for a tool, and there are no `tools`", param="tool_choice")
    return asked


def chat_request(settings: Json, messages: list[Json], *, stream: bool) -> ChatCompletionRequest:
    """The settings with messages. They were checked as parts of the response's request, so not again; and a provider
    may send their JSON on as it is.
    """
    asked = {**settings, "messages": messages}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    made = _UNSAID.model_copy(update=asked)
    made.model_post_init(None)
    return made.with_raw(encode(asked))


def function_tool(tool: Json) -> Json:
    """A function, as chat completions have it."""
    return {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}


def _response_format(form: Any) -> Json | None:
    if not form or form["type"] == "text":
        return None
    if form["type"] == "json_object":
        return {"type": "json_object"}
    named = {name: value for name, value in form.items() if name != "type" and value is not None}
    return {"type": "json_schema", "json_schema": {"name": "response", **named}}


def _choice(choice: Any, known: set[str]) -> Any:
    if isinstance(choice, str):
        return choice
    if choice["type"] == "allowed_tools":
        names = [_named(tool, known, f"tool_choice.tools[{place}]") for place, tool in enumerate(choice["tools"])]
        if choice.get("mode") == "none":
            return "none"
        allowed = {"mode": choice.get("mode") or "auto", "tools": [_function(name) for name in names]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    return _function(_named(choice, known, "tool_choice"))


def _named(tool: Json, known: set[str], where: str) -> str:
    name = tool.get("name") if tool.get("type") == "function" else tool.get("type")
    if name not in known:
        named = name or tool.get("type") or "nothing"
        raise RequestError(f"`{where}` names `{named}`, which is not among `tools`", param="tool_choice")
    return str(name)


def _function(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}
