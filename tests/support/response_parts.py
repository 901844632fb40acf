"""Parts of the Responses provider by themselves: a response being made, and an inference that says what it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from runtime.apis.inference.counting import TokenCount
from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.apis.responses.protocol import CreateResponseRequest
from runtime.errors import StackError
from runtime.ids import new_position
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.shown import new_response
from runtime.sse import EventStream, Frames, Json, Reply, decode

MODEL = "vendor/small"


def asked(**fields: Any) -> CreateResponseRequest:
    """A checked request for a response."""
    return CreateResponseRequest.model_validate({"model": MODEL, **fields})


def beginning(*, streams: bool = True, **fields: Any) -> Answering:
    """A response before anything of it is made."""
    position = new_position()
    return Answering(new_response(asked(**fields), position), position, streams=streams)


def told(answering: Answering) -> list[Json]:
    """The events since the last time."""
    frames = answering.take()
    return [] if frames is None else frames.events()


def piece(delta: Json, **choice: Any) -> Json:
    """A chunk of a chat completion with this delta."""
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **choice}]}


class Speaker:
    """An inference that gives these answers in their order: chunks, or an error. tokens: of every prompt; None where it
    does not count. asked: the bodies it was sent.
    """

    def __init__(self, *answers: Sequence[Json] | StackError, tokens: int | None = 10) -> None:
        self._answers = list(answers)
        self._tokens = tokens
        self.asked: list[Json] = []
        self.closed = 0

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        assert request.raw is not None
        self.asked.append(decode(request.raw))
        said = self._answers.pop(0)
        if isinstance(said, StackError):
            raise said
        if not request.stream:
            [whole] = said
            return Reply.of(whole)

        async def frames() -> AsyncGenerator[Frames, None]:
            for chunk in said:
                yield Frames.of(chunk)

        async def close() -> None:
            self.closed += 1

        return EventStream(frames(), close)

    async def count_tokens(self, request: ChatCompletionRequest) -> TokenCount:
        return TokenCount(tokens=self._tokens)
