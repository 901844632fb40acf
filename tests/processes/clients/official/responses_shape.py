"""Scenarios for every client whose responses have OpenAI's shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from driver import OPENAI_TOOLS, SAY, USE_TOOLS, Scenario, failure, use

RESPONSES_TOOLS = [{"type": "function", **tool["function"]} for tool in OPENAI_TOOLS]


class ResponsesShape:
    """at: a client's resource `responses` at a server's URL."""

    def __init__(self, at: Callable[[str], Any]) -> None:
        self._at = at

    def scenarios(self) -> dict[str, Scenario]:
        own = (self.responses, self.response_kept, self.response_tools, self.response_mcp)
        return {scenario.__name__: scenario for scenario in own}

    def responses(self, url: str, model: str, **fields: Any) -> Any:
        whole = self._at(url).create(model=model, input=SAY, **fields)
        parts: list[str] = []
        final = self._read(url, parts, model=model, input=SAY, **fields)
        return {
            "text": text_of(whole), "usage": usage_of(whole), "status": whole.status, "streamed": text_of(final),
            "streamed_usage": usage_of(final), "parts": len(parts), "joined": "".join(parts),
        }  # fmt: skip

    def response_kept(self, url: str, model: str) -> Any:
        """One that is read, continued, and deleted."""
        at = self._at(url)
        first = at.create(model=model, input=SAY, instructions="Be short.")
        second = at.create(model=model, input="And on", previous_response_id=first.id)
        read = at.retrieve(response_id=first.id)
        items = at.input_items.list(response_id=second.id)
        told = {
            "read": text_of(read) == text_of(first), "instructions": read.instructions,
            "items": [item.type for item in getattr(items, "data", items)],
            "previous": second.previous_response_id == first.id,
        }  # fmt: skip
        at.delete(response_id=first.id)
        return {**told, "not_found": failure(lambda: at.retrieve(response_id=first.id))}

    def response_tools(self, url: str, model: str, streams: bool) -> Any:
        """Until no tool is called any more; then another question."""
        calls: list[Any] = []
        asked: dict[str, Any] = {"input": USE_TOOLS}
        while True:
            answer = self._ask(url, streams, model=model, tools=RESPONSES_TOOLS, **asked)
            made = [item for item in answer.output if item.type == "function_call"]
            if not made:
                break
            outputs = []
            for call in made:
                arguments = json.loads(call.arguments)
                calls.append({"name": call.name, "arguments": arguments})
                output = use(call.name, arguments)
                outputs.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
            asked = {"input": outputs, "previous_response_id": answer.id}
        again = self._ask(url, streams, model=model, input=SAY, previous_response_id=answer.id)
        return {"calls": calls, "answer": text_of(answer), "again": text_of(again)}

    def response_mcp(self, url: str, model: str, server: str) -> Any:
        """A tool of an MCP server: called, streamed, allowed, and refused."""
        free = {"type": "mcp", "server_label": "sums", "server_url": server, "headers": {"x-key": "a-key"}}
        free["require_approval"] = "never"
        asked = {"model": model, "tools": [free | {"require_approval": "always"}]}
        events = [one if isinstance(one, dict) else vars(one) for one in self._at(url).create(
            model=model, input="Add", tools=[free], stream=True)]  # fmt: skip
        told: dict[str, Any] = {
            "whole": _calls_in(self._at(url).create(model=model, input="Add", tools=[free])),
            "events": [event["type"] for event in events if "mcp" in event["type"]],
        }
        for approve in (True, False):
            first = self._at(url).create(input="Add", **asked)
            [request] = [item for item in first.output if item.type == "mcp_approval_request"]
            answer = {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": approve}
            second = self._at(url).create(input=[answer], previous_response_id=first.id, **asked)
            arguments = json.loads(request.arguments)
            told["allowed" if approve else "refused"] = [arguments, _calls_in(second), text_of(second)]
        return told

    def _ask(self, url: str, streams: bool, **asked: Any) -> Any:
        return self._read(url, [], **asked) if streams else self._at(url).create(**asked)

    def _read(self, url: str, parts: list[str], **asked: Any) -> Any:
        """The response of a stream's last event. parts: gets the pieces of its text.

        Read to its end: httpx deadlocks where a stream that was left is collected while it takes up the next request.
        """
        final = None
        for given in self._at(url).create(stream=True, **asked):
            event = _object(given) if isinstance(given, dict) else given  # ogx-client gives them as they are
            if event.type == "response.output_text.delta":
                parts.append(event.delta)
            if event.type in ("response.completed", "response.incomplete"):
                final = event.response
        assert final is not None, "the stream has no end"
        return final


def _object(given: dict[str, Any]) -> Any:
    """The same with attributes."""
    return json.loads(json.dumps(given), object_hook=lambda members: SimpleNamespace(**members))


def _calls_in(response: Any) -> list[list[str]]:
    return [[item.server_label, item.name, item.output] for item in response.output if item.type == "mcp_call"]


def text_of(response: Any) -> str:
    """The text of all messages in the output."""
    messages = [item for item in response.output if item.type == "message"]
    return "".join(part.text for message in messages for part in message.content)


def usage_of(response: Any) -> list[int]:
    """llama-stack-client 0.2 has no model of it."""
    counts = response.usage if isinstance(response.usage, dict) else vars(response.usage)
    return [counts["input_tokens"], counts["output_tokens"], counts["total_tokens"]]
