"""OpenAI's streams: decides when one is complete, and makes one from an answer that is not streamed.

https://platform.openai.com/docs/api-reference/chat/streaming
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest
from runtime.sse import EventStream, Frames, Json

# Not an empty reason, which some vendors write into every event. In a JSON string, the quotes would be escaped.
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"[^"]')

_TAIL = 16 * 1024


class FinishReasons:
    """Complete when every choice has a finish reason: some servers send no `[DONE]`. choices: their number."""

    __slots__ = ("_choices", "_finished")

    def __init__(self, choices: int) -> None:
        self._choices = choices
        self._finished: set[Any] = set()

    @property
    def is_complete(self) -> bool:
        return len(self._finished) >= self._choices

    def see(self, data: bytes) -> None:
        # A single choice ends at the end of the stream, so only the end of a large read is searched.
        match = _FINISHED.search(data, max(0, len(data) - _TAIL) if self._choices == 1 else 0)
        while match is not None:
            begin = data.rfind(b"\n\n", 0, match.start()) + 1
            event, _, data = data[begin:].partition(b"\n\n")
            self._finished.update(_finished_in(event))
            match = _FINISHED.search(data)


def _finished_in(event: bytes) -> list[Any]:
    """The indexes of the choices that an event ends. Some vendors end a choice twice, also with its usage."""
    try:
        values = Frames(event).events()
    except ValueError:  # not JSON, although it looks like it
        return []
    found = []
    for value in values:
        choices = value.get("choices") if isinstance(value, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("finish_reason"):
                found.append(choice["index"] if isinstance(choice.get("index"), int) else 0)
    return found


def choices_of(request: ChatCompletionRequest | CompletionRequest) -> int:
    """How many answers a request asks for: `n` for each prompt."""
    prompt = getattr(request, "prompt", None)
    prompts = len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1
    return (request.n or 1) * prompts


def as_events(answer: Json, *, with_usage: bool) -> Frames | None:
    """A whole chat completion or completion as the events of a stream; None if it is neither.

    with_usage: whether the request asked for usage; its event has no choices, which some clients do not expect.
    """
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        return None
    usage = answer.get("usage")
    head = {name: value for name, value in answer.items() if name != "usage"}
    if answer.get("object") == "chat.completion":
        head["object"] = "chat.completion.chunk"
    event = {**head, "choices": [_delta(choice) for choice in choices]}
    return Frames.of(event, *([{**head, "choices": [], "usage": usage}] if usage and with_usage else []))


def one_read(answer: Json, *, with_usage: bool) -> EventStream:
    """A chat completion of ours as a stream of one read, for a vendor that does not stream it. with_usage: as of
    `as_events`.
    """

    async def once() -> AsyncGenerator[Frames, None]:
        frames = as_events(answer, with_usage=with_usage)
        assert frames is not None, "it has choices"
        yield frames

    async def nothing() -> None:
        pass

    return EventStream(once(), nothing)


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    if not isinstance(message, dict):
        return choice
    calls = message.get("tool_calls")
    if isinstance(calls, list) and all(isinstance(call, dict) for call in calls):
        message = {**message, "tool_calls": [{"index": place, **call} for place, call in enumerate(calls)]}
    return {**{name: value for name, value in choice.items() if name != "message"}, "delta": message}
