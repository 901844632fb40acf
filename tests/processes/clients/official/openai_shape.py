"""Scenarios for every client whose chat answers have OpenAI's shape, however it is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from driver import OPENAI_TOOLS, PERSON, PERSON_SCHEMA, SAY, USE_TOOLS, Scenario, failure, use


class OpenAIShape:
    """create: makes a chat completion, called with a server's URL and the fields of the request. effort: how it is
    given `reasoning_effort`.
    """

    def __init__(self, create: Callable[..., Any], effort: dict[str, Any]) -> None:
        self._create = create
        self._effort = effort

    def scenarios(self) -> dict[str, Scenario]:
        own = (
            self.chat, self.stream, self.reasoning, self.streamed_reasoning, self.tools, self.streamed_tools,
            self.structured, self.not_found, self.bad_request, self.broken,
        )  # fmt: skip
        return {scenario.__name__: scenario for scenario in own}

    def ask(self, url: str, model: str, messages: str | list[Any], **fields: Any) -> Any:
        """messages: those, or the text of a user's only one."""
        given = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return self._create(url, model=model, messages=given, **fields)

    def chat(self, url: str, model: str, **fields: Any) -> Any:
        answer = self.ask(url, model, SAY, **fields)
        [choice] = answer.choices
        return {"text": choice.message.content, "finish": choice.finish_reason, "usage": _usage(answer.usage)}

    def stream(self, url: str, model: str, **fields: Any) -> Any:
        chunks = list(self.ask(url, model, SAY, stream=True, stream_options={"include_usage": True}, **fields))
        choices = [choice for chunk in chunks for choice in chunk.choices]
        parts = [part for choice in choices if (part := choice.delta.content)]
        [finish] = [choice.finish_reason for choice in choices if choice.finish_reason]
        return {"text": "".join(parts), "parts": len(parts), "finish": finish, "usage": _usage(chunks[-1].usage)}

    def reasoning(self, url: str, model: str) -> Any:
        return self.ask(url, model, SAY, **self._effort).choices[0].message.reasoning_content

    def streamed_reasoning(self, url: str, model: str) -> Any:
        chunks = self.ask(url, model, SAY, stream=True, **self._effort)
        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        return "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)

    def tools(self, url: str, model: str) -> Any:
        asked = {"role": "user", "content": USE_TOOLS}
        message = self.ask(url, model, [asked], tools=OPENAI_TOOLS, tool_choice="auto").choices[0].message
        calls = calls_of(message)
        said = [
            {"id": call.id, "type": "function", "function": {name: getattr(call.function, name) for name in calls[0]}}
            for call in message.tool_calls
        ]
        told = [
            {"role": "tool", "tool_call_id": call.id, "content": use(each["name"], each["arguments"])}
            for call, each in zip(message.tool_calls, calls, strict=True)
        ]
        answer = self.ask(url, model, [asked, {"role": "assistant", "tool_calls": said}, *told], tools=OPENAI_TOOLS)
        return {"calls": calls, "answer": answer.choices[0].message.content}

    def streamed_tools(self, url: str, model: str) -> Any:
        made: dict[int, dict[str, str]] = {}
        for chunk in self.ask(url, model, USE_TOOLS, tools=OPENAI_TOOLS, stream=True):
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or ():
                    one = made.setdefault(call.index, {"name": "", "arguments": ""})
                    one["name"] += (call.function and call.function.name) or ""
                    one["arguments"] += (call.function and call.function.arguments) or ""
        return [{**one, "arguments": json.loads(one["arguments"])} for one in made.values()]

    def structured(self, url: str, model: str) -> Any:
        schema = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON_SCHEMA}}
        answer = self.ask(url, model, PERSON, response_format=schema)
        return {"json_schema": json.loads(answer.choices[0].message.content)}

    def not_found(self, url: str, model: str) -> Any:
        return failure(lambda: self.ask(url, model, SAY))

    def bad_request(self, url: str, model: str) -> Any:
        return failure(lambda: self.ask(url, model, SAY, frequency_penalty=9))

    def broken(self, url: str, model: str) -> Any:
        return failure(lambda: list(self.ask(url, model, SAY, stream=True)))


def calls_of(message: Any) -> list[dict[str, Any]]:
    return [
        {"name": call.function.name, "arguments": json.loads(call.function.arguments)} for call in message.tool_calls
    ]


def _usage(usage: Any) -> list[int]:
    """llama-stack-client 0.2 has no model of it."""
    counts = usage if isinstance(usage, dict) else vars(usage)
    return [counts["prompt_tokens"], counts["completion_tokens"], counts["total_tokens"]]
