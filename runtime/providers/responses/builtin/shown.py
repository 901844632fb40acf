"""A response's request as the response shows it, before anything of it is made."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from runtime.apis.responses.request import CreateResponseRequest
from runtime.ids import ordered_id
from runtime.providers.responses.builtin.credentials import shown_mcp, with_shown_arguments
from runtime.sse import Json

_NUMBERS = {"temperature": 1.0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "top_logprobs": 0}
_SAME = (
    "instructions", "previous_response_id", "max_output_tokens", "max_tool_calls", "safety_identifier",
    "prompt_cache_key", "user",
)  # fmt: skip


def new_response(request: CreateResponseRequest, position: int) -> Json:
    """The response object of a request, `in_progress`. position: as `runtime.ids.new_position` makes it."""
    conversation = request.conversation_id
    text = request.text or {}
    given = request.__dict__  # its fields; by their names as attributes, all of these would cost as much as the rest
    numbers = {name: default if (value := given[name]) is None else value for name, default in _NUMBERS.items()}
    return {
        "id": ordered_id("resp_", position),
        "object": "response",
        "created_at": position // 1_000_000,
        "completed_at": None,
        "status": "in_progress",
        "background": bool(request.background),
        "error": None,
        "incomplete_details": None,
        "model": request.model,
        "output": [],
        "usage": None,
        "conversation": {"id": conversation} if conversation else None,
        "tools": [_tool(dict(tool)) for tool in request.tools or ()],
        "tool_choice": _choice(request.tool_choice),
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "text": {**text, "format": _format(text.get("format"))},
        "reasoning": {"effort": None, "summary": None, **(request.reasoning or {})},
        "truncation": request.truncation or "disabled",
        "store": request.store is not False,
        "service_tier": request.service_tier or "default",
        "metadata": request.metadata or {},
        "prompt": _prompt(request.prompt),
        **{name: given[name] for name in _SAME},
        **numbers,
        **({} if request.guardrails is None else {"guardrails": request.guardrails}),
    }


def _tool(tool: Json) -> Json:
    """As JSON, without credentials. Some have members that OpenAI's always have."""
    if tool["type"] == "mcp":
        return shown_mcp(tool)
    if tool["type"] != "function":
        return with_shown_arguments(
            {
                name: value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
                for name, value in tool.items()
            }
        )
    return {"description": None, "parameters": None, "strict": None, **tool}


def _prompt(prompt: Any) -> Any:
    """With the detail that an image always has."""
    if not prompt or not prompt.get("variables"):
        return prompt
    shown = {
        name: {"detail": "auto", **value} if isinstance(value, dict) and value["type"] == "input_image" else value
        for name, value in prompt["variables"].items()
    }
    return {**prompt, "variables": shown}


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        return {"mode": "auto", **choice}
    return choice or "auto"


def _format(form: Any) -> Json:
    """With the members that a schema's format always has."""
    if form and form["type"] == "json_schema":
        given = {name: value for name, value in form.items() if value is not None}
        return {"name": "response", "description": None, "schema": None, "strict": False, **given}
    return form or {"type": "text"}
