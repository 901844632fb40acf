"""The operations of the API `inference`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import Alias, inner, route
from runtime.apis.inference._shared import MAX_INPUTS
from runtime.apis.inference.abilities import Abilities, AbilitiesRequest
from runtime.apis.inference.chat import ChatCompletionRequest
from runtime.apis.inference.chat_answers import ChatCompletion, ChatCompletionChunk
from runtime.apis.inference.completions import Completion, CompletionRequest
from runtime.apis.inference.counting import TokenCount
from runtime.apis.inference.embeddings import EmbeddingsRequest, EmbeddingsResponse
from runtime.apis.inference.loading import LoadModelRequest, ModelChanged, UnloadModelRequest
from runtime.apis.inference.rerank import RankedItems, RerankItemsRequest, RerankRequest, RerankResponse
from runtime.apis.inference.stored import (
    CompletionMessagesRequest,
    DeletedCompletion,
    StoredCompletion,
    StoredCompletionList,
    StoredCompletionRequest,
    StoredCompletionsRequest,
    StoredMessageList,
    UpdateCompletionRequest,
)
from runtime.errors import Conflict
from runtime.sse import EventStream, Reply

__all__ = [
    "MAX_INPUTS",
    "ChatCompletionRequest",
    "CompletionRequest",
    "EmbeddingsRequest",
    "RerankItemsRequest",
    "RerankRequest",
]


class Inference(Protocol):
    """Every method returns a `Reply`, or an `EventStream` for `stream: true`. It raises before the first byte.

    The router keeps chat completions and answers for those that are kept; adapters have no methods for that.
    """

    @route(
        "POST",
        "/v1/chat/completions",
        aliases=("/v1/openai/v1/chat/completions",),
        key="model",
        returns=ChatCompletion,
        streams=ChatCompletionChunk,
        ends_with_done=True,
    )
    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        """Continue a conversation. 404 for an unknown model, 400 for a prompt longer than its context."""
        ...

    @inner(key="model")
    async def count_tokens(self, request: ChatCompletionRequest) -> TokenCount:
        """Count the tokens of a chat completion's prompt. Raises what `chat_completion` does before the model is asked.

        Only a prompt that is too long is counted like any other.
        """
        ...

    @inner(key="model")
    async def get_abilities(self, request: AbilitiesRequest) -> Abilities:
        """What a model's provider can do. Raises NotSupported for one that can nothing beyond the usual."""
        ...

    @route(
        "GET",
        "/v1/chat/completions",
        aliases=("/v1/openai/v1/chat/completions",),
        returns=StoredCompletionList,
    )
    async def list_chat_completions(self, request: StoredCompletionsRequest) -> Reply:
        """List the chat completions that were kept. 400 for a cursor that is none."""
        ...

    @route(
        "GET",
        "/v1/chat/completions/{completion_id}",
        aliases=("/v1/openai/v1/chat/completions/{completion_id}",),
        returns=StoredCompletion,
    )
    async def get_chat_completion(self, request: StoredCompletionRequest) -> Reply:
        """Get a chat completion that was kept, with what it was asked. 404 for an unknown id."""
        ...

    @route(
        "GET",
        "/v1/chat/completions/{completion_id}/messages",
        aliases=("/v1/openai/v1/chat/completions/{completion_id}/messages",),
        returns=StoredMessageList,
    )
    async def list_completion_messages(self, request: CompletionMessagesRequest) -> Reply:
        """List the messages that a chat completion was asked with. 404 for an unknown id, 400 for a wrong cursor."""
        ...

    @route(
        "POST",
        "/v1/chat/completions/{completion_id}",
        aliases=("/v1/openai/v1/chat/completions/{completion_id}",),
        returns=StoredCompletion,
    )
    async def update_chat_completion(self, request: UpdateCompletionRequest) -> Reply:
        """Replace the metadata of a chat completion that was kept. 404 for an unknown id."""
        ...

    @route(
        "DELETE",
        "/v1/chat/completions/{completion_id}",
        aliases=("/v1/openai/v1/chat/completions/{completion_id}",),
    )
    async def delete_chat_completion(self, request: StoredCompletionRequest) -> DeletedCompletion:
        """Delete a chat completion that was kept. 404 for an unknown id."""
        ...

    @route(
        "POST",
        "/v1/completions",
        aliases=("/v1/openai/v1/completions",),
        key="model",
        returns=Completion,
        streams=Completion,
        ends_with_done=True,
    )
    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        """Continue a text. 404 for an unknown model, 400 for a prompt longer than its context."""
        ...

    @route("POST", "/v1/embeddings", aliases=("/v1/openai/v1/embeddings",), key="model", returns=EmbeddingsResponse)
    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        """Turn texts into vectors. 404 for an unknown model, 400 for a model that makes no embeddings."""
        ...

    @route("POST", "/v1/rerank", key="model", returns=RerankResponse)
    async def rerank(self, request: RerankRequest) -> Reply:
        """Order documents by how well they answer a query. 404 for an unknown model, 400 for one that cannot rerank."""
        ...

    @route(
        "POST",
        "/v1alpha/inference/rerank",
        aliases=("/v1/inference/rerank",),
        key="model",
        returns=RankedItems,
        deprecated=True,
    )
    async def rerank_items(self, request: RerankItemsRequest) -> Reply:
        """The same as `/v1/rerank`, in llama-stack's form. Adapters have only `rerank`: the router makes this of it."""
        ...

    @route(
        "POST",
        "/v1alpha/admin/models/load",
        aliases=(Alias(path="/models/load", deprecated=False),),
        key="model",
    )
    async def load_model(self, request: LoadModelRequest) -> ModelChanged:
        """Load a model that runs here, and answer when it is loaded.

        404 for an unknown model, 503 where it cannot be loaded, 501 for one that runs elsewhere.
        """
        ...

    @route(
        "POST",
        "/v1alpha/admin/models/unload",
        aliases=(Alias(path="/models/unload", deprecated=False),),
        key="model",
        raises=(Conflict,),
    )
    async def unload_model(self, request: UnloadModelRequest) -> ModelChanged:
        """Unload a model that runs here, once its answers have ended; its next request loads it again.

        404 for an unknown model, 409 where its answers take longer than 30 s, 501 for one that runs elsewhere.
        """
        ...
