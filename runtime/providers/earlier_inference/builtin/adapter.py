"""Translates requests to `inference` and its answers back. Knows no models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from runtime.apis._earlier.content import InterleavedContent
from runtime.apis._earlier.messages import EarlierMessage
from runtime.apis.earlier_inference.requests import (
    EarlierBatchChatRequest,
    EarlierBatchCompletionRequest,
    EarlierChatRequest,
    EarlierCompletionRequest,
    EarlierEmbeddingsRequest,
)
from runtime.apis.inference.protocol import Inference
from runtime.concurrently import concurrently
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.providers._earlier.renaming import renamed
from runtime.providers.earlier_inference.builtin.answers import chat_answer, completion_answer, vectors_of
from runtime.providers.earlier_inference.builtin.requests import (
    chat_request,
    chat_settings,
    completion_request,
    completion_settings,
    embeddings_request,
)
from runtime.providers.earlier_inference.builtin.streams import ChatEvents, CompletionEvents
from runtime.sse import EventStream, Json, Reply

T = TypeVar("T")
_AT_ONCE = 8
"""How many of a batch are asked at a time: the others' answers are waited for meanwhile."""


class BuiltinEarlierInference:
    """Implements `EarlierInference`."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._found = context.optional_api(Inference)  # type: ignore[type-abstract]

    @property
    def _inference(self) -> Inference:
        if self._found is None:
            raise Unavailable("No provider of the API inference is there", hint="add one under `providers.inference`")
        return self._found

    async def earlier_chat_completion(self, request: EarlierChatRequest) -> Reply | EventStream:
        """Raises what inference raises, RequestError and NotSupported for what it has no words for."""
        asked = chat_request(chat_settings(request), request.messages, "messages", stream=bool(request.stream))
        answer = await _asked(self._inference.chat_completion(asked))
        if isinstance(answer, EventStream):
            return answer.through(ChatEvents())
        return Reply.of(chat_answer(answer.value()))

    async def earlier_completion(self, request: EarlierCompletionRequest) -> Reply | EventStream:
        """Raises what inference raises, NotSupported for images and grammars."""
        settings = completion_settings(request)
        asked = completion_request(settings, request.content, "content", stream=bool(request.stream))
        answer = await _asked(self._inference.completion(asked))
        if isinstance(answer, EventStream):
            return answer.through(CompletionEvents())
        return Reply.of(completion_answer(answer.value()))

    async def earlier_embeddings(self, request: EarlierEmbeddingsRequest) -> Reply:
        """Raises what inference raises, NotSupported for images and truncation."""
        answer = await _asked(self._inference.embeddings(embeddings_request(request)))
        return Reply.of({"embeddings": vectors_of(answer.value())})

    async def earlier_batch_chat_completion(self, request: EarlierBatchChatRequest) -> Reply:
        """Raises what inference raises for the first that fails, RequestError and NotSupported."""
        settings = chat_settings(request)

        async def answered(messages: Sequence[EarlierMessage], place: str) -> Json:
            asked = chat_request(settings, messages, place)
            answer = await _asked(self._inference.chat_completion(asked), messages=place)
            assert isinstance(answer, Reply), "nothing streamed was asked for"
            return chat_answer(answer.value())

        return await _batch(request.messages_batch, "messages_batch", answered)

    async def earlier_batch_completion(self, request: EarlierBatchCompletionRequest) -> Reply:
        """Raises what inference raises for the first that fails, NotSupported for images and grammars."""
        settings = completion_settings(request)

        async def answered(content: InterleavedContent, place: str) -> Json:
            asked = completion_request(settings, content, place)
            answer = await _asked(self._inference.completion(asked), prompt=place)
            assert isinstance(answer, Reply), "nothing streamed was asked for"
            return completion_answer(answer.value())

        return await _batch(request.content_batch, "content_batch", answered)


async def _batch(those: Sequence[T], field: str, answered: Callable[[T, str], Awaitable[Json]]) -> Reply:
    """The answers in order. Raises what the first one that fails raises; the others end with it."""

    async def one(placed: tuple[int, T]) -> Json:
        place, asked = placed
        return await answered(asked, f"{field}[{place}]")

    return Reply.of({"batch": await concurrently(one, enumerate(those), at_once=_AT_ONCE)})


async def _asked(answer: Awaitable[T], **places: str) -> T:
    """Raises errors with the name that a field has at this door. places: of fields that are part of a batch, there."""
    return await renamed(answer, _FIELDS | places)


_FIELDS = {
    "model": "model_id",
    "input": "contents",
    "dimensions": "output_dimension",
    "prompt": "content",
    "max_tokens": "sampling_params.max_tokens",
    "max_completion_tokens": "sampling_params.max_tokens",
    "stop": "sampling_params.stop",
    "temperature": "sampling_params.strategy.temperature",
    "top_p": "sampling_params.strategy.top_p",
    "top_k": "sampling_params.strategy.top_k",
    "repetition_penalty": "sampling_params.repetition_penalty",
    "top_logprobs": "logprobs.top_k",
}
