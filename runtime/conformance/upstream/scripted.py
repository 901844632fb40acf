"""A vendor that says what a test has written down, whole or in pieces, whatever it is asked."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from runtime.conformance.upstream.wire import CREATED, started_stream

Json = dict[str, Any]
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 7,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
OVERLOADED = {"error": {"message": "the engine is overloaded", "type": "server_error", "param": None, "code": "busy"}}


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer. deltas: its pieces, in their order; logprobs: of the piece at the same place. whole: the message of
    an answer that is not streamed; by default the deltas put together.

    breaks: after the last delta, in place of its end: an event that tells of an error, the connection is cut, or
    nothing comes until the caller leaves.
    """

    deltas: list[Json]
    finish: str | None = "stop"
    logprobs: list[list[Json]] | None = None
    whole: Json | None = None
    usage: Json | None = field(default_factory=lambda: USAGE)
    breaks: Literal["error", "cut", "wait"] | None = None

    def message(self) -> Json:
        return _together(self.deltas) if self.whole is None else self.whole


def says(*texts: str, **facts: Any) -> Said:
    """An answer of text in these pieces."""
    return Said(deltas=[{"role": "assistant", "content": ""}, *({"content": text} for text in texts)], **facts)


def calls(*named: tuple[str, str, str], **facts: Any) -> Said:
    """An answer that calls functions, each by its id, name and arguments; these come in pieces of three characters."""
    deltas: list[Json] = [{"role": "assistant", "content": None}]
    for index, (id, name, arguments) in enumerate(named):
        begun = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        for at in range(0, len(arguments), 3):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + 3]}}]})
    return Said(deltas=deltas, finish="tool_calls", **facts)


class Script:
    """Answers in their order, the last one ever again. asked: the body of each chat completion that was asked for.

    An `Upstream` that `misbehaves` with it answers so; the list of its models stays what it is.
    """

    def __init__(self, *answers: Said) -> None:
        self._answers = list(answers)
        self.asked: list[Json] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response({"object": "list", "data": [{"id": "small-chat", "object": "model"}]})
        body = await request.json()
        self.asked.append(body)
        said = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        head = {"id": "chatcmpl-1", "created": CREATED, "model": body["model"]}
        if not body.get("stream"):
            if said.breaks:
                return web.json_response(OVERLOADED, status=500)
            return web.json_response(_whole(head, said))
        return await _streamed(request, head, said)


def _whole(head: Json, said: Said) -> Json:
    logprobs = None if said.logprobs is None else {"content": [one for piece in said.logprobs for one in piece]}
    choice = {"index": 0, "message": said.message(), "finish_reason": said.finish, "logprobs": logprobs}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": said.usage}


async def _streamed(request: web.Request, head: Json, said: Said) -> web.StreamResponse:
    head = {**head, "object": "chat.completion.chunk"}
    answer = await started_stream(request)

    async def tell(event: Json) -> None:
        await answer.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    for place, delta in enumerate(said.deltas):
        choice: Json = {"index": 0, "delta": delta, "finish_reason": None}
        if said.logprobs is not None and said.logprobs[place]:
            choice["logprobs"] = {"content": said.logprobs[place]}
        await tell({**head, "choices": [choice]})
    if said.breaks == "wait":
        await asyncio.Event().wait()
    if said.breaks == "cut":
        assert request.transport is not None
        request.transport.close()
        return answer
    if said.breaks == "error":
        await tell(OVERLOADED)
        await answer.write_eof()
        return answer
    await tell({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": said.finish}]})
    if said.usage is not None:
        await tell({**head, "choices": [], "usage": said.usage})
    await answer.write(b"data: [DONE]\n\n")
    await answer.write_eof()
    return answer


def _together(deltas: list[Json]) -> Json:
    """The message that deltas come to."""
    message: Json = {"role": "assistant", "content": None}
    made: dict[int, Json] = {}
    for delta in deltas:
        for name in ("content", "refusal", "reasoning_content", "reasoning"):
            if isinstance(delta.get(name), str):
                message[name] = (message.get(name) or "") + delta[name]
        for part in delta.get("tool_calls") or ():
            function = part["function"]
            call = made.setdefault(part["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
            call["id"] = call.get("id") or part.get("id")
            call["function"]["name"] = call["function"]["name"] or function.get("name", "")
            call["function"]["arguments"] += function.get("arguments", "")
    return message | ({"tool_calls": list(made.values())} if made else {})
