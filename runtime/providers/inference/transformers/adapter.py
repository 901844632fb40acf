"""Reranking by models that the transformers library computes, in this process. They are loaded while the server already
answers, or by the first request for a model; requests wait for them, up to a bound.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from runtime.apis.inference.protocol import RerankRequest
from runtime.catalog.weights import find_model
from runtime.context import current
from runtime.engine.requests.waiting_room import early_room
from runtime.provider import ListedModel, ProviderContext
from runtime.providers.inference._extra_fields import checked_keep_alive, extra_fields, warn_unknown
from runtime.providers.inference._models_in_memory import ModelsInMemory
from runtime.providers.inference._pool_report import shown
from runtime.providers.inference._ranking import reply_of, texts_of
from runtime.providers.inference._served_models import Kind
from runtime.providers.inference.transformers.config import FOLDER, RerankerEntry, TransformersConfig
from runtime.providers.inference.transformers.runner import RerankerRunner
from runtime.providers.inference.transformers.scoring import Scorer
from runtime.sse import Reply

_Facts = dict[str, Any]


class TransformersInference(ModelsInMemory[RerankerEntry, _Facts, RerankerRunner]):
    """One or several rerankers.

    Raises RequestError (400) for a query without room for a document, RateLimited (429) where too many wait,
    Unavailable (503) while the model is not loaded.
    """

    def __init__(self, config: TransformersConfig, context: ProviderContext) -> None:
        kind = Kind[RerankerEntry, _Facts, RerankerRunner](
            find=lambda entry: find_model(entry.model, {}, what=FOLDER, models_dir=context.models_dir),
            describe=_facts_of,
            unknown={},
            run=_runner,
        )
        room = partial(early_room, unit="documents")
        super().__init__(kind, config.entries(), context, max_loaded=config.max_loaded_models, room=room)

    async def list_models(self) -> list[ListedModel]:
        return [
            ListedModel(provider_model_id=name, model_type="rerank", metadata=shown(state) | self._served[name].facts)
            for name, state in self._pool.states().items()
        ]

    async def rerank(self, request: RerankRequest) -> Reply:
        texts, extra, name = texts_of(request), extra_fields(request), self._pool.member(request.model).name
        within = self._early[name].within(len(texts), len(request.raw or b""))
        lease = await self._pool.acquire(name, within, keep_alive_s=checked_keep_alive(extra.pop("keep_alive", None)))
        try:
            warn_unknown(extra, type(request).model_fields)
            with current().timing:
                ranking = await lease.model.rank(request.query, texts, max_tokens=request.max_tokens_per_doc)
            return reply_of(request, ranking, max_tokens=lease.model.max_tokens)
        finally:
            lease.release()


def _facts_of(_name: str, folder: Path) -> _Facts:
    """What is known before it is loaded; nothing where its files cannot be read."""
    try:
        most = json.loads((folder / "config.json").read_bytes())["max_position_embeddings"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {"context_length": most} if isinstance(most, int) else {}


def _runner(name: str, entry: RerankerEntry, folder: Path) -> RerankerRunner:
    make = partial(
        Scorer.load,
        name,
        folder,
        device=entry.device,
        dtype=entry.dtype,
        max_tokens=entry.max_tokens,
        instruction=entry.instruction,
    )
    return RerankerRunner(name, folder, make)
