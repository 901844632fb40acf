"""Routes inference by model: finds the owner, puts the owner's name for the model into the request, and the requested
name into the answer. Chat completions are kept here, and those that were kept are answered for.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.apis.inference.counting import TokenCount
from runtime.apis.inference.protocol import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingsRequest,
    RerankItemsRequest,
    RerankRequest,
)
from runtime.apis.inference.stored import (
    CompletionMessagesRequest,
    DeletedCompletion,
    StoredCompletionRequest,
    StoredCompletionsRequest,
    UpdateCompletionRequest,
)
from runtime.errors import NotSupported, RequestError
from runtime.routing.adapters import Method
from runtime.routing.forward import Router, Routing
from runtime.routing.guarded.forms import CHAT, COMPLETION
from runtime.routing.guarded.guards import Guards
from runtime.routing.keeping import Keeper
from runtime.routing.own_members import OwnMember, with_members
from runtime.routing.stored_completions import StoredCompletions
from runtime.sse import EventStream, Reply


class InferenceRouter(Router):
    """Implements `Inference` by forwarding."""

    def __init__(self, routing: Routing) -> None:
        super().__init__(routing)
        self._keeper, self._stored = Keeper(routing.storage), StoredCompletions(routing.storage)
        self._guards = Guards(routing.find_api, routing.settings)  # type: ignore[arg-type]  # of its section

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        if (guard := self._guards.of(request, CHAT)) is not None:
            answer = await guard.take(request, partial(self._ask, "chat_completion"))
        else:
            answer = await self._ask("chat_completion", request)
        if self._keeper.keeps(request):
            return await self._keeper.keep(request, answer)
        return _with_name(answer, request.model)

    async def count_tokens(self, request: ChatCompletionRequest) -> TokenCount:
        try:
            method, routed = await self._find(_unguarded(request), "count_tokens", "llm")
        except NotSupported:
            return TokenCount(tokens=None)
        counted: TokenCount = await method(routed)
        return counted

    async def list_chat_completions(self, request: StoredCompletionsRequest) -> Reply:
        return await self._stored.page(request)

    async def get_chat_completion(self, request: StoredCompletionRequest) -> Reply:
        return await self._stored.get(request.completion_id)

    async def list_completion_messages(self, request: CompletionMessagesRequest) -> Reply:
        return await self._stored.messages(request)

    async def update_chat_completion(self, request: UpdateCompletionRequest) -> Reply:
        return await self._stored.update(request)

    async def delete_chat_completion(self, request: StoredCompletionRequest) -> DeletedCompletion:
        return await self._stored.delete(request)

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        if (guard := self._guards.of(request, COMPLETION)) is not None:
            return _with_name(await guard.take(request, partial(self._ask, "completion")), request.model)
        return _with_name(await self._ask("completion", request), request.model)

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        _check_unguarded(request)
        method, routed = await self._find(request, "embeddings", "embedding")
        return _renamed(await method(routed), request.model)

    async def rerank(self, request: RerankRequest) -> Reply:
        _check_unguarded(request)
        method, routed = await self._find(request, "rerank", "rerank")
        return _renamed(await method(routed), request.model)

    async def rerank_items(self, request: RerankItemsRequest) -> Reply:
        """llama-stack's form, by the owner's `rerank`."""
        found = (await self.rerank(_as_rerank(request))).value()["results"]
        data = [{"index": one["index"], "relevance_score": one["relevance_score"]} for one in found]
        return Reply.of({"data": data})

    async def _ask(self, name: str, request: Any) -> Any:
        """Ask the model's owner for a generation."""
        method, routed = await self._find(_unguarded(request), name, "llm")
        return await method(routed)

    async def _find(self, request: Any, name: str, kind: str) -> tuple[Method, Any]:
        """The method of the model's owner, and the request with the owner's name for the model."""
        assert self._routes_by is not None, "inference is routed by models"
        model = await self._routes_by.resolve(request.model)
        if model.kind and model.kind != kind:
            raise RequestError(
                f"Model `{request.model}` is of type `{model.kind}`, this needs `{kind}`",
                hint=self._routes_by.hint_for_kind(kind),
                param="model",
                code="model_type_mismatch",
            )
        method = self._adapters.method(model.provider_id, name, what=f"Model `{request.model}`")
        return method, request.routed_by(model, "model")


def _unguarded(request: Any) -> Any:
    """The request without a field that is ours."""
    return request if request.guardrails is None else request.without("guardrails")


def _check_unguarded(request: Any) -> None:
    """Raises RequestError for guardrails of what goes through none: nobody is to think that it does."""
    if (request.model_extra or {}).get("guardrails"):
        raise RequestError(
            "Only chats and completions go through guardrails", hint="leave out `guardrails`", param="guardrails"
        )


def _as_rerank(request: RerankItemsRequest) -> RerankRequest:
    query, *documents = [_text(item) for item in (request.query, *request.items)]
    others = request.model_extra or {}
    for name in others:
        if name in RerankRequest.model_fields:
            raise RequestError(
                f"`{name}` is a field of `/v1/rerank`, not of this form of it",
                hint=f"leave out `{name}`, or ask `/v1/rerank`",
                param=name,
            )
    given = {**others, "model": request.model, "query": query, "documents": documents}
    if request.max_num_results is not None:
        given["top_n"] = request.max_num_results
    return RerankRequest.model_validate(given)


def _text(item: Any) -> str:
    text: str = item if isinstance(item, str) else item["text"]
    return text


def _with_name(answer: Reply | EventStream, model: str) -> Reply | EventStream:
    """The answer with the name by which the model was asked for."""
    return with_members(answer, OwnMember("model", model))


def _renamed(reply: Reply, model: str) -> Reply:
    return with_members(reply, OwnMember("model", model))


ROUTER = InferenceRouter
