"""What a search request means: its ranking options, and the defaults of the run config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.apis.models import Models
from runtime.apis.vector_stores.filters import ComparisonFilter, CompoundFilter
from runtime.apis.vector_stores.native import ChunkRanker
from runtime.apis.vector_stores.search import RankingOptions, SearchMode
from runtime.errors import RequestError
from runtime.providers.vector_stores.builtin.config import VectorStoresConfig, name_of
from runtime.providers.vector_stores.builtin.filters import test_of
from runtime.providers.vector_stores.builtin.listed import first_of_type
from runtime.providers.vector_stores.builtin.searching import Asked, Fusion, Mode

_FUSIONS: dict[str, Fusion] = {"rrf": "rrf", "weighted": "weighted", "normalized": "normalized"}
_OPENAI_RANKERS = ("auto", "default-2024-11-15", "default_2024_08_21")


class Asking:
    """config: the run config's defaults. models: where the usual reranker is found."""

    def __init__(self, config: VectorStoresConfig, models: Models) -> None:
        self._config = config
        self._models = models

    async def asked(
        self,
        texts: Sequence[str],
        *,
        limit: int,
        mode: SearchMode | None,
        filters: ComparisonFilter | CompoundFilter | None,
        options: RankingOptions | None,
    ) -> Asked:
        """A search with everything decided. Raises RequestError for `neural` without any reranking model."""
        retrieval = self._config.chunk_retrieval_params
        ranker: str = (options.ranker if options else None) or "auto"
        fusion = _FUSIONS.get(ranker) or _FUSIONS[retrieval.default_reranker_strategy]
        alpha = options.alpha if options and options.alpha is not None else retrieval.weighted_search_alpha
        weights = (0.5, 0.5) if fusion == "rrf" else (alpha, 1 - alpha)
        chosen: Mode = mode or self._config.default_search_mode
        if options and options.hybrid_search:
            chosen, fusion = "hybrid", "rrf"
            weights = (options.hybrid_search.embedding_weight, options.hybrid_search.text_weight)
        factor = options.impact_factor if options else None
        return Asked(
            texts=texts,
            mode=chosen,
            limit=limit,
            test=test_of(filters) if filters else None,
            fusion=fusion,
            weights=weights,
            impact_factor=factor or retrieval.rrf_impact_factor,
            candidates=max(limit * retrieval.chunk_multiplier, 50),
            reranker=await self._reranker(options) if options else None,
            threshold=(options.score_threshold if options else None) or 0.0,
        )

    async def _reranker(self, options: RankingOptions) -> str | None:
        """The model that is to rerank. `auto`, and OpenAI's names for it, rerank where there is a model for it."""
        if options.model is not None:
            return options.model
        if options.ranker not in ("neural", *_OPENAI_RANKERS):
            return None
        name = name_of(self._config.default_reranker_model) or await first_of_type(self._models, "rerank")
        if name is None and options.ranker == "neural":
            raise RequestError(
                "No reranking model is served",
                hint="name one in `ranking_options.model`, or turn on a provider of inference that has one",
                param="ranking_options.ranker",
                code="no_rerank_model",
            )
        return name


def options_of(ranker: str | ChunkRanker | None, threshold: float) -> RankingOptions | None:
    """The ranking options that the native API says in its own way."""
    threshold = min(max(threshold, 0.0), 1.0)
    if ranker is None:
        return RankingOptions(ranker="none", score_threshold=threshold) if threshold else None
    given: dict[str, Any] = {"ranker": ranker} if isinstance(ranker, str) else ranker.model_dump(exclude_none=True)
    kind = given.pop("type", None)
    return RankingOptions.model_validate({"ranker": kind, "score_threshold": threshold} | given)
