"""Embeddings and reranking by our own encoders, in this process. They are loaded while the server already answers, or
by the first request for a model; requests wait for them, up to a bound.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from runtime.apis.inference.protocol import EmbeddingsRequest, RerankRequest
from runtime.apis.models import ModelType
from runtime.context import current, warn
from runtime.engine.checkpoints.encoder_config import EncoderConfig
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.encoders.embedder import Embedder
from runtime.engine.encoders.jobs import Embeddings
from runtime.engine.requests.waiting_room import early_room
from runtime.errors import RequestError
from runtime.provider import ListedModel, ProviderContext
from runtime.providers.inference._extra_fields import checked_keep_alive, extra_fields, warn_unknown
from runtime.providers.inference._models_in_memory import ModelsInMemory
from runtime.providers.inference._pool_report import shown
from runtime.providers.inference._ranking import reply_of, texts_of
from runtime.providers.inference._served_models import Kind
from runtime.providers.inference.sentence_transformers.config import EncoderEntry, SentenceTransformersConfig
from runtime.providers.inference.sentence_transformers.runner import EncoderRunner
from runtime.providers.inference.sentence_transformers.weights import find_weights
from runtime.sse import Reply, encode

_NUMBERS_AT_ONCE = 8192
"""So many numbers are written as JSON in less than a millisecond, which needs no thread."""
_RERANKER = "-maxsim"
"""After the model's name: the same weights as a reranking model."""


@dataclass(frozen=True)
class _Facts:
    """What the files of a model say: its lengths, as listings show them, and whether it embeds."""

    lengths: dict[str, int] = field(default_factory=dict)
    embeds: bool = True


class SentenceTransformersInference(ModelsInMemory[EncoderEntry, _Facts, EncoderRunner]):
    """One or several models: each embeds, and reranks by the vectors of its tokens; a cross-encoder only reranks.

    Raises RequestError (400) for vectors or dimensions that a model cannot make, token ids that it does not have and an
    empty query, RateLimited (429) where too many wait, Unavailable (503) while the model is not loaded.
    """

    def __init__(self, config: SentenceTransformersConfig, context: ProviderContext) -> None:
        kind = Kind[EncoderEntry, _Facts, EncoderRunner](
            find=lambda entry: find_weights(entry.model, context.models_dir),
            describe=_facts_of,
            unknown=_Facts(),
            run=_runner,
        )
        room = partial(early_room, unit="texts")
        super().__init__(kind, config.entries(), context, max_loaded=config.max_loaded_models, room=room)

    async def list_models(self) -> list[ListedModel]:
        found = []
        for name, state in self._pool.states().items():
            facts, loaded = self._served[name].facts, shown(state)
            whole = loaded | facts.lengths
            kind: ModelType = "embedding" if facts.embeds else "rerank"
            found.append(ListedModel(provider_model_id=name, model_type=kind, metadata=whole))
            if facts.embeds:
                found.append(ListedModel(provider_model_id=name + _RERANKER, model_type="rerank", metadata=loaded))
        return found

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        inputs = _inputs(request.input)
        async with self._loaded(request, len(inputs)) as embedder:
            embedder.check_embeds()
            if request.dimensions is not None and request.dimensions != embedder.dimension:
                raise RequestError(
                    f"Model `{request.model}` makes vectors of {embedder.dimension} dimensions only", param="dimensions"
                )
            if inputs and not isinstance(inputs[0], str):
                warn(
                    f"`input` is token ids; they are taken as ids of `{request.model}`'s own vocabulary"
                    f" ({embedder.vocab_size} entries); send text unless they were made with it"
                )
            with current().timing:
                made = await _embed(embedder, inputs)
        if made.vectors.size <= _NUMBERS_AT_ONCE:
            return _reply(made, request)
        return await asyncio.to_thread(_reply, made, request)

    async def rerank(self, request: RerankRequest) -> Reply:
        texts = texts_of(request)
        async with self._loaded(request, len(texts)) as embedder:
            with current().timing:
                ranking = await embedder.rerank(request.query, texts, max_tokens=request.max_tokens_per_doc)
            max_tokens = embedder.max_tokens
        return reply_of(request, ranking, max_tokens=max_tokens)

    @asynccontextmanager
    async def _loaded(self, request: EmbeddingsRequest | RerankRequest, texts: int) -> AsyncGenerator[Embedder, None]:
        """The use of the requested model, which is loaded first. Raises as `ModelPool.acquire`, and RateLimited where
        too many wait for it.
        """
        name, extra = self._name(request.model), extra_fields(request)
        within = self._early[name].within(texts, len(request.raw or b""))
        lease = await self._pool.acquire(name, within, keep_alive_s=checked_keep_alive(extra.pop("keep_alive", None)))
        try:
            warn_unknown(extra, type(request).model_fields)
            yield lease.model.embedder
        finally:
            lease.release()

    def _name(self, model: str) -> str:
        """The name of the member that serves a model. Raises RequestError."""
        reranker = model.removesuffix(_RERANKER)
        return reranker if model not in self._served and reranker in self._served else self._pool.member(model).name


async def _embed(embedder: Embedder, inputs: list[str] | list[list[int]]) -> Embeddings:
    """Embed the inputs. Texts that are too long are cut, as document indexers expect, and a warning reports it."""
    try:
        return await embedder.embed(inputs, truncate=False)
    except RequestError as error:
        if error.code != "context_length_exceeded":
            raise
        warn(f"cut at the end: {error.message}")
    return await embedder.embed(inputs)


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


def _facts_of(_name: str, folder: Path) -> _Facts:
    """What is known before the weights are loaded: a document that comes early is cut as a later one is. No lengths
    where they cannot be read; loading says why.
    """
    try:
        config = EncoderConfig.read(folder)
    except CheckpointInvalid:
        return _Facts()
    if config.score_activation is not None:
        return _Facts({"context_length": config.max_tokens}, embeds=False)
    return _Facts({"embedding_dimension": config.hidden_size, "context_length": config.max_tokens})


def _runner(name: str, entry: EncoderEntry, folder: Path) -> EncoderRunner:
    embedder = Embedder(folder, device=entry.device, threads=entry.threads, max_waiting=entry.max_waiting, name=name)
    return EncoderRunner(name, embedder)


def _inputs(given: str | list[str] | list[int] | list[list[int]]) -> list[str] | list[list[int]]:
    if isinstance(given, str):
        return [given]
    if not given:
        raise RequestError("`input` is empty", param="input", code="invalid_value")
    return [given] if isinstance(given[0], int) else given
