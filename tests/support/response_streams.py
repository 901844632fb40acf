"""Streams of a response's events, held to the protocol: names, numbers, order, types, and that they come to the answer.

https://platform.openai.com/docs/api-reference/responses-streaming. What is checked is what any client may rely on: the
OpenAI client's types, Open Responses' schemas, and that a client which only adds up events has the whole response.
"""

from __future__ import annotations

import copy
import json
import typing
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent

from tests.support.open_responses import check_event, check_response, is_specified

Json = dict[str, Any]
ENDS = ("response.completed", "response.incomplete", "response.failed")
_OWN_REASONS = ("interrupted", "max_infer_iters")
"""Why a response may be incomplete here, for which OpenAI has no word."""
_OPENAIS_ITEMS = (
    "file_search_call",
    "web_search_call",
    "custom_tool_call",
    "code_interpreter_call",
    "compaction",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
)
"""Items of OpenAI's that Open Responses does not have."""
_OPENAIS_ANNOTATION = '"type": "container_file_citation"'
"""The same of annotations."""
_WHOLE_ITEMS = ("compaction", "mcp_list_tools", "mcp_approval_request")
"""Items that have no status."""
_OURS = ("tool_group", "tool_group_call")
"""Tools and items of ours that neither has; events of such an item are only ours too."""
_AT_END = {
    "code_interpreter_call": ("outputs",),
    "mcp_list_tools": ("tools",),
    "mcp_call": ("output", "error"),
    "tool_group_call": ("output", "error", "metadata", "completed_at"),
}
"""What only the end of an item tells, beside its status."""
_MODELS = {
    model.model_fields["type"].annotation.__args__[0]: model
    for model in typing.get_args(typing.get_args(ResponseStreamEvent)[0])
}
_DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "text",
}


def events_of(body: bytes) -> list[Json]:
    """The events of a whole stream, each checked by itself, and together. Fails the test for what breaks a rule."""
    events = []
    for number, block in enumerate(body.decode().removesuffix("\n\n").split("\n\n")):
        name, _, data = block.partition("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}", name
        assert event["sequence_number"] == number, event
        check_types(event)
        events.append(event)
    assert events[-1]["type"] in ENDS, events[-1]
    _check_order(events)
    return events


def check_types(event: Json) -> None:
    if (event.get("item") or {}).get("type") in _OURS or event["type"].split(".")[-2:][0] in _OURS:
        return
    usual = _without_ours(_with_usual_reason(event))
    _MODELS[event["type"]].model_validate(usual)
    response = event.get("response") or {}
    has_others = _has_others(response) or (event.get("item") or {}).get("type") in _OPENAIS_ITEMS
    if is_specified(event) and not has_others and _OPENAIS_ANNOTATION not in json.dumps(event):
        check_event(event)


def check_types_of(response: Json) -> None:
    """The same for a whole response."""
    Response.model_validate(_without_ours(_with_usual_reason({"response": response}))["response"])
    if not _has_others(response):
        check_response(response)


def _without_ours(event: Json) -> Json:
    """The event without what is ours alone, which no client of OpenAI's is told of unless it asks for that."""
    if (response := event.get("response")) is None:
        return event
    left = {name: [one for one in response[name] if one["type"] not in _OURS] for name in ("tools", "output")}
    if isinstance(response["tool_choice"], dict) and response["tool_choice"]["type"] in _OURS:
        left["tool_choice"] = "auto"
    return {**event, "response": {**response, **left}}


def _has_others(response: Json) -> bool:
    """Whether it has items or tools that Open Responses does not have."""
    has_items = any(item["type"] in (*_OPENAIS_ITEMS, *_OURS) for item in response.get("output", ()))
    return has_items or any(tool["type"] != "function" for tool in response.get("tools", ()))


def added_up(events: list[Json]) -> list[Json]:
    """The output, made by somebody who sees nothing but the beginnings of items and their pieces."""
    output: list[Json] = []
    for event in events:
        kind = event["type"]
        item: Json = output[event["output_index"]] if event.get("output_index", len(output)) < len(output) else {}
        if kind == "response.output_item.added":
            assert event["output_index"] == len(output), event
            output.append(copy.deepcopy(event["item"]))
        elif kind == "response.content_part.added":
            assert event["content_index"] == len(item["content"]), event
            item["content"].append(copy.deepcopy(event["part"]))
        elif kind in _DELTAS:
            part = item["content"][event["content_index"]]
            part[_DELTAS[kind]] += event["delta"]
            if event.get("logprobs"):
                part["logprobs"] += event["logprobs"]
        elif kind == "response.custom_tool_call_input.delta":
            item["input"] += event["delta"]
        elif kind == "response.output_text.annotation.added":
            item["content"][event["content_index"]]["annotations"].append(event["annotation"])
        elif kind in ("response.function_call_arguments.delta", "response.mcp_call_arguments.delta"):
            item["arguments"] += event["delta"]
        elif kind == "response.code_interpreter_call_code.delta":
            item["code"] += event["delta"]
    return output


def without_ids(response: Json) -> Json:
    """What two answers to the same request have in common."""
    kept = {name: value for name, value in response.items() if name not in ("id", "created_at", "completed_at")}
    kept["output"] = [{name: value for name, value in item.items() if name != "id"} for item in response["output"]]
    return kept


def _check_order(events: list[Json]) -> None:
    """Every item is opened once and closed once, its parts within it; what is said to be done is what had come."""
    events = [event for event in events if event["type"] != "response.queued"]
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"], kinds[:3]
    assert [kind for kind in kinds if kind in ENDS] == kinds[-1:], kinds
    assert len({event["response"]["id"] for event in events if "response" in event}) == 1
    built = added_up(events)
    final = events[-1]["response"]["output"]
    closed: set[int] = set()
    open_parts: dict[int, Json] = {}
    for event in events[2:-1]:
        kind, place = event["type"], event["output_index"]
        assert place not in closed, event
        if "item_id" in event:
            assert event["item_id"] == final[place]["id"], event
        if kind == "response.output_item.added":
            is_whole = event["item"]["type"] in _WHOLE_ITEMS
            assert event["item"].get("status") == (None if is_whole else "in_progress"), event
        elif kind == "response.output_item.done":
            assert place not in open_parts, event
            assert event["item"] == final[place], event
            closed.add(place)
        elif kind == "response.content_part.added":
            assert place not in open_parts, event
            open_parts[place] = event["part"]
        elif kind == "response.content_part.done":
            del open_parts[place]
            assert event["part"] == final[place]["content"][event["content_index"]], event
        elif kind in ("response.output_text.done", "response.reasoning_text.done"):
            assert event["text"] == built[place]["content"][event["content_index"]]["text"], event
        elif kind == "response.refusal.done":
            assert event["refusal"] == built[place]["content"][event["content_index"]]["refusal"], event
        elif kind in ("response.function_call_arguments.done", "response.mcp_call_arguments.done"):
            assert event["arguments"] == built[place]["arguments"], event
        elif kind == "response.code_interpreter_call_code.done":
            assert event["code"] == built[place]["code"], event
        elif kind == "response.custom_tool_call_input.done":
            assert event["input"] == built[place]["input"], event
    if kinds[-1] == "response.completed":
        assert closed == set(range(len(final))) and not open_parts
    for place, item in enumerate(final):
        assert _said(built[place]) == _said(item), (built[place], item)


def _said(item: Json) -> Json:
    """An item without what only its end tells."""
    at_end = ("status", "encrypted_content", *_AT_END.get(item["type"], ()))
    return {name: value for name, value in item.items() if name not in at_end}


def _with_usual_reason(event: Json) -> Json:
    details = (event.get("response") or {}).get("incomplete_details") or {}
    if details.get("reason") not in _OWN_REASONS:
        return event
    usual = {**event["response"], "incomplete_details": {"reason": "max_output_tokens"}}
    return {**event, "response": usual}
