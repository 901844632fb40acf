"""A response's request as the request of a chat completion: everything but the messages."""

from __future__ import annotations

from typing import Any

from runtime.apis.inference.chat import ChatCompletionRequest
from runtime.apis.responses.request import LOGPROBS, CreateResponseRequest
from runtime.errors import RequestError
from runtime.providers.responses.builtin.toolbox import Toolbox
from runtime.sse import Json, encode

_SAME = (
    "temperature", "top_p", "frequency_penalty", "presence_penalty", "service_tier", "safety_identifier",
    "prompt_cache_key", "user", "guardrails",
)  # fmt: skip
"""Fields of both that mean the same."""
_UNSAID = ChatCompletionRequest.model_construct(_fields_set=set(), model="", messages=[])
"""One with nothing but defaults, of which copies are made: pydantic takes 40 us to put them together."""


def chat_settings(request: CreateResponseRequest, tools: Toolbox) -> Json:
    """Raises RequestError for a `tool_choice` that names no tool."""
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
    if request.includes(LOGPROBS) or request.top_logprobs:
        asked |= {"logprobs": True, "top_logprobs": request.top_logprobs or 0}
    if tools.functions:
        asked["tools"] = tools.told
        if request.tool_choice is not None:
            asked["tool_choice"] = _choice(request.tool_choice, tools)
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


def _response_format(form: Any) -> Json | None:
    if not form or form["type"] == "text":
        return None
    if form["type"] == "json_object":
        return {"type": "json_object"}
    named = {name: value for name, value in form.items() if name != "type" and value is not None}
    return {"type": "json_schema", "json_schema": {"name": "response", **named}}


def _choice(choice: Any, tools: Toolbox) -> Any:
    if isinstance(choice, str):
        return choice
    mode = "required"
    if choice["type"] == "allowed_tools":
        mode = choice.get("mode") or "auto"
        parts = enumerate(choice["tools"])
        names = [name for place, part in parts for name in tools.meant(part, f"tool_choice.tools[{place}]")]
    else:
        names = tools.meant(choice, "tool_choice")
    functions = [tools.functions[name].chosen(name) for name in dict.fromkeys(names)]
    if mode == "none":
        return "none"
    if choice["type"] != "allowed_tools" and len(functions) == 1:
        return functions[0]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": functions}}
