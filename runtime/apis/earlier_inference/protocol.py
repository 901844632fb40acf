"""The operations of the API `earlier_inference`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import route
from runtime.apis.earlier_inference.answers import (
    ChatAnswerBatch,
    EarlierChatAnswer,
    EarlierChatChunk,
    EarlierCompletion,
    EarlierCompletionBatch,
    EarlierCompletionChunk,
    EarlierEmbeddings,
)
from runtime.apis.earlier_inference.requests import (
    EarlierBatchChatRequest,
    EarlierBatchCompletionRequest,
    EarlierChatRequest,
    EarlierCompletionRequest,
    EarlierEmbeddingsRequest,
)
from runtime.errors import NotSupported
from runtime.sse import EventStream, Reply


class EarlierInference(Protocol):
    """Raises what `Inference` raises, before the first byte, and NotSupported for what its requests cannot say."""

    @route(
        "POST",
        "/v1/inference/chat-completion",
        returns=EarlierChatAnswer,
        streams=EarlierChatChunk,
        deprecated=True,
        raises=(NotSupported,),
    )
    async def earlier_chat_completion(self, request: EarlierChatRequest) -> Reply | EventStream:
        """Continue a conversation. 404 for an unknown model, 501 for a grammar."""
        ...

    @route(
        "POST",
        "/v1/inference/completion",
        returns=EarlierCompletion,
        streams=EarlierCompletionChunk,
        deprecated=True,
        raises=(NotSupported,),
    )
    async def earlier_completion(self, request: EarlierCompletionRequest) -> Reply | EventStream:
        """Continue a text. 404 for an unknown model, 501 for images and for a grammar."""
        ...

    @route(
        "POST",
        "/v1/inference/embeddings",
        returns=EarlierEmbeddings,
        deprecated=True,
        raises=(NotSupported,),
    )
    async def earlier_embeddings(self, request: EarlierEmbeddingsRequest) -> Reply:
        """Turn texts into vectors. 404 for an unknown model, 501 for images and for truncation."""
        ...

    @route(
        "POST",
        "/v1/inference/batch-chat-completion",
        aliases=("/v1/batch-inference/chat-completion",),
        returns=ChatAnswerBatch,
        deprecated=True,
        raises=(NotSupported,),
    )
    async def earlier_batch_chat_completion(self, request: EarlierBatchChatRequest) -> Reply:
        """Continue several conversations; where one fails, so does the request."""
        ...

    @route(
        "POST",
        "/v1/inference/batch-completion",
        aliases=("/v1/batch-inference/completion",),
        returns=EarlierCompletionBatch,
        deprecated=True,
        raises=(NotSupported,),
    )
    async def earlier_batch_completion(self, request: EarlierBatchCompletionRequest) -> Reply:
        """Continue several texts; where one fails, so does the request."""
        ...
