"""OpenAI's streams: when one is complete, and one made of an answer that came in one piece.

https://platform.openai.com/docs/api-reference/chat/streaming
"""

from __future__ import annotations

import re
from typing import Any

from runtime.apis.inference import ChatCompletionRequest, CompletionRequest
from runtime.sse import Frames, Json

_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')  # in a JSON text the quotes would be escaped


class FinishReasons:
    """Complete when every choice has said why it ended; some servers send no `[DONE]`. choices: how many there are."""

    __slots__ = ("_missing",)

    def __init__(self, choices: int) -> None:
        self._missing = choices

    @property
    def is_complete(self) -> bool:
        return self._missing <= 0

    def see(self, data: bytes) -> None:
        self._missing -= len(_FINISHED.findall(data))


def choices_of(request: ChatCompletionRequest | CompletionRequest) -> int:
    """How many answers a request asks for: `n` for each prompt."""
    prompt = getattr(request, "prompt", None)
    prompts = len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1
    return (request.n or 1) * prompts


def as_events(answer: Json, *, with_usage: bool) -> Frames | None:
    """A whole chat completion or completion as the events of a stream; None where it is neither.

    with_usage: whether usage was asked for. Its event has no choices, which not every client expects.
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


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    if not isinstance(message, dict):
        return choice
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        message = {**message, "tool_calls": [{"index": place, **call} for place, call in enumerate(calls)]}
    return {**{name: value for name, value in choice.items() if name != "message"}, "delta": message}
