"""What a search request means: its ranking options, and the defaults of the run config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.apis.models import Models, first_of_type
from runtime.apis.vector_stores.filters import ComparisonFilter, CompoundFilter
from runtime.apis.vector_stores.native import ChunkRanker
from runtime.apis.vector_stores.search import RankingOptions, RankingWeights, SearchMode
from runtime.providers.vector_stores.builtin.config import VectorStoresConfig, name_of
from runtime.providers.vector_stores.builtin.filters import test_of
from runtime.providers.vector_stores.builtin.listed import model_of_type
from runtime.providers.vector_stores.builtin.searching import Fusion, Mode, Reranking, Search

_FUSIONS: dict[str, Fusion] = {"rrf": "rrf", "weighted": "weighted", "normalized": "normalized"}
_OPENAI_RANKERS = ("auto", "default-2024-11-15", "default_2024_08_21")
_RERANKED = 20
"""So many of the first hits are reranked at least: of more, hardly any gets to the front, and each takes time."""


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
        ranking: str = "ranking_options",
    ) -> Search:
        """A search with everything decided. ranking: the request's field with the options, for errors.

        Raises RequestError if a reranking model is wanted that is not served.
        """
        options, retrieval = options or RankingOptions(ranker="none"), self._config.chunk_retrieval_params
        fusion = _FUSIONS.get(options.ranker or "") or _FUSIONS[retrieval.default_reranker_strategy]
        chosen: Mode = mode or self._config.default_search_mode
        if (both := options.hybrid_search) is not None:
            chosen, fusion, weights = "hybrid", "rrf", (both.embedding_weight, both.text_weight)
        elif (given := options.weights) is not None:
            chosen, weights = mode or _mode_of(given), (given.vector, given.keyword)
        else:
            alpha = retrieval.weighted_search_alpha if options.alpha is None else options.alpha
            weights = (0.5, 0.5) if fusion == "rrf" else (alpha, 1 - alpha)
        return Search(
            texts=texts,
            mode=chosen,
            limit=limit,
            test=test_of(filters) if filters else None,
            fusion=fusion,
            weights=weights if any(weights) else (0.5, 0.5),
            impact_factor=options.impact_factor or retrieval.rrf_impact_factor,
            candidates=max(limit * retrieval.chunk_multiplier, 50),
            reranked=max(2 * limit, _RERANKED),
            reranking=await self._reranking(options, ranking),
            threshold=options.score_threshold or 0.0,
        )

    async def _reranking(self, options: RankingOptions, param: str) -> Reranking | None:
        """`auto`, and OpenAI's names for it, rerank where there is a model for it and while it answers."""
        weights = options.weights
        is_wanted = options.model is not None or options.ranker == "neural" or bool(weights and weights.neural)
        if not is_wanted and options.ranker not in _OPENAI_RANKERS:
            return None
        name = options.model or name_of(self._config.default_reranker_model)
        if is_wanted:
            name = (await model_of_type(self._models, name, "rerank", param=f"{param}.model")).id
        else:
            name = name or await first_of_type(self._models, "rerank")
        if name is None:
            return None
        share = weights.neural / (weights.vector + weights.keyword + weights.neural) if weights else 0.0
        return Reranking(model=name, share=share or 1.0, is_wanted=is_wanted)


def _mode_of(weights: RankingWeights) -> Mode:
    """What has a weight is searched."""
    if weights.vector and weights.keyword:
        return "hybrid"
    return "keyword" if weights.keyword else "vector"


def options_of(ranker: str | ChunkRanker | None, threshold: float) -> RankingOptions | None:
    """The ranking options that the native API says in its own way."""
    threshold = min(max(threshold, 0.0), 1.0)
    if ranker is None:
        return RankingOptions(ranker="none", score_threshold=threshold) if threshold else None
    given: dict[str, Any] = {"ranker": ranker} if isinstance(ranker, str) else ranker.model_dump(exclude_none=True)
    kind = given.pop("type", None)
    return RankingOptions.model_validate({"ranker": kind, "score_threshold": threshold} | given)
