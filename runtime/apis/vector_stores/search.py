"""Searching one vector store: what is asked, how hits are ranked, and what is found.

https://platform.openai.com/docs/api-reference/vector-stores/search
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._metadata import AttributeValue
from runtime.apis._names import ResourceId
from runtime.apis._request import Request, Response, example
from runtime.apis.vector_stores.attached_file import ContentText
from runtime.apis.vector_stores.filters import Filters
from runtime.apis.vector_stores.store import VectorStoreRequest
from runtime.sse import Json, Reply

MAX_QUERIES = 32
LONGEST_QUERY = 32_768

SearchMode = Literal["vector", "keyword", "hybrid"]
Ranker = Literal["auto", "default-2024-11-15", "default_2024_08_21", "none", "rrf", "weighted", "normalized", "neural"]
QueryText = Annotated[str, Field(min_length=1, max_length=LONGEST_QUERY)]


class HybridSearchWeights(Request):
    """What counts how much when the hits of vectors and of words are fused by their positions."""

    embedding_weight: float = Field(ge=0, description="The weight of the search by vectors.")
    text_weight: float = Field(ge=0, description="The weight of the search by words.")

    @model_validator(mode="after")
    def _one_counts(self) -> HybridSearchWeights:
        if self.embedding_weight + self.text_weight == 0:
            raise PydanticCustomError("no_weight", "one of the weights must be greater than 0")
        return self


class RankingWeights(Request):
    """What counts how much in a hit's score."""

    vector: float = Field(0, ge=0, description="The weight of the search by vectors. The default is 0.")
    keyword: float = Field(0, ge=0, description="The weight of the search by words. The default is 0.")
    neural: float = Field(0, ge=0, description="The weight of the reranking model's score. The default is 0.")

    @model_validator(mode="after")
    def _one_counts(self) -> RankingWeights:
        if self.vector + self.keyword + self.neural == 0:
            raise PydanticCustomError("no_weight", "one of the weights must be greater than 0")
        return self


class RankingOptions(Request):
    """How hits are put in order."""

    ranker: Ranker | None = Field(
        None,
        description="How hits of vectors and of words are fused: `rrf` by their positions, `weighted` by their scores"
        " between the lowest and the highest, `normalized` by their scores as they are. `neural` has a reranking model"
        " put them in order after that. `none` does neither of what is optional; `auto` and OpenAI's own names are what"
        " the provider has as its default, and so is nothing.",
    )
    score_threshold: float | None = Field(
        None, ge=0, le=1, description="Only hits with at least this score, from 0 to 1. The default is 0."
    )
    alpha: float | None = Field(
        None,
        ge=0,
        le=1,
        description="For `weighted` and `normalized`: how much vectors count, from 0 to 1. Words count the rest. By"
        " default, as the provider has it.",
    )
    impact_factor: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="For `rrf`: what is added to each position, so that the first ones count less. By default, as the"
        " provider has it.",
    )
    hybrid_search: HybridSearchWeights | None = Field(
        None,
        description="Weights for `rrf`. With them, both vectors and words are searched whatever `search_mode` says. By"
        " default, both count the same.",
    )
    weights: RankingWeights | None = Field(
        None,
        description="Weights for any ranker, in the place of `alpha` and `hybrid_search`. Without `search_mode`, what"
        " has a weight is searched. Not one of OpenAI's fields. By default, as those say.",
    )
    model: ResourceId | None = Field(
        None,
        min_length=1,
        description="The reranking model of `neural`. By default, the provider's, and none for other rankers.",
    )

    @model_validator(mode="after")
    def _weights_are_for_positions(self) -> RankingOptions:
        if self.hybrid_search and self.ranker in ("weighted", "normalized"):
            raise PydanticCustomError(
                "ranking_options", "`hybrid_search` is for `rrf`; `{ranker}` has `alpha`", {"ranker": self.ranker}
            )
        if self.weights and (self.hybrid_search or self.alpha is not None):
            raise PydanticCustomError("ranking_options", "`weights` takes the place of `alpha` and `hybrid_search`")
        return self


class SearchVectorStoreRequest(VectorStoreRequest):
    """What is looked for in a store."""

    model_config = example(
        query="How long is a return possible?",
        max_num_results=5,
        filters={
            "type": "and",
            "filters": [
                {"type": "gte", "key": "year", "value": 2025},
                {"type": "in", "key": "team", "value": ["support", "sales"]},
            ],
        },
    )

    query: QueryText | Annotated[list[QueryText], Field(min_length=1, max_length=MAX_QUERIES)] = Field(
        description="The question or the words; or several, at most 32, whose hits are put together."
    )
    filters: Filters | None = Field(
        None, description="Only chunks of files whose attributes are so. By default, of all files."
    )
    max_num_results: int | None = Field(
        None, ge=1, le=50, description="The most hits, from 1 to 50. The default is 10."
    )
    ranking_options: RankingOptions | None = Field(
        None, description="How hits are put in order. By default, as the provider has it."
    )
    rewrite_query: bool | None = Field(
        None, description="Whether a model makes words that are found of the question. The default is false."
    )
    search_mode: SearchMode | None = Field(
        None,
        description="By what is found: by meaning (`vector`), by words (`keyword`) or both (`hybrid`). Not one of"
        " OpenAI's fields. By default, as the provider has it.",
    )
    explain: bool | None = Field(
        None,
        description="Whether each hit says why it stands where it does. Not one of OpenAI's fields. The"
        " default is false.",
    )

    @property
    def most(self) -> int:
        """How many hits there may be."""
        return self.max_num_results or 10

    @property
    def queries(self) -> list[str]:
        """What is looked for, in either form."""
        return [self.query] if isinstance(self.query, str) else self.query


class Rank(Response):
    """Where a hit stood."""

    position: int = Field(description="Its place, from 1.")
    score: float = Field(description="Its score there. Higher is better; the scale is that of the ranking.")


class HitExplanation(Response):
    """Where a hit stood in each ranking that there was; of several queries, in those of the one that ranks it best."""

    query: str | None = Field(None, description="The query that found it, as it was searched for.")
    vector: Rank | None = Field(None, description="By its vector: the score is the cosine. Null if not found so.")
    keyword: Rank | None = Field(None, description="By its words: the score is that of BM25. Null if not found so.")
    fused: Rank | None = Field(None, description="By both together; null if only one was searched.")
    rerank: Rank | None = Field(None, description="By the reranking model; null if there was none.")


class FoundChunk(ContentText):
    """What was found."""

    chunk_id: str | None = Field(None, description="The chunk's id. Not one of OpenAI's fields.")
    metadata: dict[str, Any] | None = Field(
        None,
        description="What may be shown to a model, such as `headings` and `page_number`. Not one of OpenAI's fields.",
    )


class SearchHit(Response):
    """A chunk that was found."""

    file_id: str = Field(description="The file that it is of.")
    filename: str = Field(description="That file's name.")
    score: float = Field(description="How well it fits, from 0 to 1.")
    attributes: dict[str, AttributeValue] | None = Field(description="That file's attributes.")
    content: list[FoundChunk] = Field(description="What it says.")
    explanation: HitExplanation | None = Field(
        None, description="Why it stands where it does; null unless `explain` asks for it. Not one of OpenAI's fields."
    )


class SearchResults(Response):
    """What was found, the best first."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str] = Field(description="What was searched for: the queries, or what a model made of them.")
    data: list[SearchHit] = Field(description="The hits.")
    has_more: bool = Field(False, description="Always false: `max_num_results` says how many there may be.")
    next_page: str | None = Field(None, description="Always null.")


def hits_of(answer: SearchResults | Reply) -> list[Json]:
    """What `search_store` answered: each hit as JSON."""
    found = answer.value() if isinstance(answer, Reply) else answer.model_dump(mode="json")
    hits: list[Json] = found["data"]
    return hits


def text_of(hit: Json) -> str:
    """What was found, as a text."""
    return "\n".join(part["text"] for part in hit["content"])
