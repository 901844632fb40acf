"""Inference by an implementation of llama-stack's interface, whose methods `openai_*` take OpenAI's bodies."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from inspect import isawaitable
from typing import Any

from runtime.apis._request import Request
from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest
from runtime.apis.models import ModelType
from runtime.provider import ListedModel
from runtime.providers._vendors.llama_stack.calling import as_json, translated
from runtime.providers._vendors.llama_stack.implementation import LlamaStackProvider
from runtime.sse import EventStream, Frames, Reply

_TYPES: dict[str, ModelType] = {"llm": "llm", "embedding": "embedding"}


class LlamaStackInference(LlamaStackProvider):
    """Chat completions, completions and embeddings, as far as the implementation has them."""

    async def list_models(self) -> list[ListedModel]:
        """Its own list; nothing where it has none, and models are registered."""
        if not self.has("list_models"):
            return []
        return [
            ListedModel(
                provider_model_id=str(getattr(model, "provider_resource_id", None) or model.identifier),
                model_type=_TYPES.get(str(getattr(model.model_type, "value", model.model_type))),
                metadata=dict(getattr(model, "metadata", None) or {}),
            )
            for model in await self.ask("list_models", {}) or ()
        ]

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        return await self._answer("openai_chat_completion", request)

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        return await self._answer("openai_completion", request)

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        return Reply.of(as_json(await self.ask("openai_embeddings", request.wire())))

    async def _answer(self, method: str, request: Request) -> Reply | EventStream:
        answer = await self.ask(method, request.wire())
        if not hasattr(answer, "__aiter__"):
            return Reply.of(as_json(answer))
        first = await self._next(chunks := aiter(answer))
        return EventStream(self._frames(chunks), partial(_close, answer), first=first)

    async def _next(self, chunks: AsyncIterator[Any]) -> Frames | None:
        """The next chunk; None after the last. Before the first one is there, a failure still has a status."""
        try:
            return Frames.of(as_json(await anext(chunks)))
        except StopAsyncIteration:
            return None
        except Exception as error:
            raise translated(error, self.provider_id) from error

    async def _frames(self, chunks: AsyncIterator[Any]) -> AsyncGenerator[Frames, None]:
        while (frames := await self._next(chunks)) is not None:
            yield frames


async def _close(answer: Any) -> None:
    """Their streams are generators, or those of OpenAI's library."""
    for name in ("aclose", "close"):
        if (close := getattr(answer, name, None)) is not None:
            closed = close()
            if isawaitable(closed):
                await closed
            return
