"""Reranking: which documents answer a query best.

OpenAI has no such route. `/v1/rerank` has the shape that Cohere, Jina, vLLM and llama.cpp share
(https://docs.cohere.com/reference/rerank); the older route is llama-stack's.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, ExtensibleRequest, Response, example
from runtime.apis.inference._shared import MAX_INPUTS, AnsweredBy
from runtime.apis.inference.messages import ContentPart

_MODEL = Field(min_length=1, description="The reranking model: `provider_id/provider_model_id`, or an alias.")


class RerankRequest(ExtensibleRequest):
    """A query, and documents to order by how well they answer it."""

    model_config = example(model="cohere/rerank-v3.5", query="Who grazes?", documents=["A llama grazes.", "It rains."])

    model: ResourceId = _MODEL
    query: str = Field(description="What is looked for.")
    documents: Annotated[list[str | dict[str, Any]], AT_ONCE] = Field(
        min_length=1,
        max_length=MAX_INPUTS,
        description="The texts; or objects with a `text`, where the provider takes more, such as an image.",
    )
    top_n: int | None = Field(None, ge=1, description="Return only so many, the best. Default: all.")
    return_documents: bool | None = Field(None, description="Return the documents too. Default false.")
    max_tokens_per_doc: int | None = Field(
        None, ge=1, description="Cut longer documents to this length, in tokens. Default: the provider's."
    )


class RerankedDocument(Response):
    """A document in the answer."""

    text: str = Field(description="Its text.")


class RerankResult(Response):
    """How well one document answers."""

    index: int = Field(description="Which document of the request it is, from 0.")
    relevance_score: float = Field(description="Higher is better. The scale is the provider's.")
    document: RerankedDocument | None = Field(None, description="The document, if asked for.")


class RerankUsage(Response):
    """What the request cost."""

    total_tokens: int = Field(0, description="Tokens read.")


class RerankResponse(Response):
    """The documents, best first."""

    id: str | None = Field(None, description="The answer's id, if the provider gives one.")
    model: AnsweredBy
    results: list[RerankResult] = Field(description="The best documents first.")
    usage: RerankUsage | None = Field(None, description="Token counts, if the provider tells.")


Item = str | ContentPart


class RerankItemsRequest(ExtensibleRequest):
    """llama-stack's form of a `RerankRequest`."""

    model_config = example(model="cohere/rerank-v3.5", query="Who grazes?", items=["A llama grazes.", "It rains."])

    model: ResourceId = _MODEL
    query: Item = Field(description="What is looked for: a text, or a part with a text.")
    items: Annotated[list[Item], AT_ONCE] = Field(
        min_length=1, max_length=MAX_INPUTS, description="The documents: texts, or parts with a text."
    )
    max_num_results: int | None = Field(None, ge=1, description="Return only so many, the best. Default: all.")

    @field_validator("query", "items")
    @classmethod
    def _texts(cls, given: Any) -> Any:
        for item in given if isinstance(given, list) else [given]:
            if isinstance(item, dict) and item["type"] != "text":
                kind = item["type"]
                raise PydanticCustomError("not_a_text", "only texts can be reranked, not `{kind}`", {"kind": kind})
        return given


class RankedItem(Response):
    """How well one item answers."""

    index: int = Field(description="Which item of the request it is, from 0.")
    relevance_score: float = Field(description="Higher is better. The scale is the provider's.")


class RankedItems(Response):
    """The items, best first."""

    data: list[RankedItem] = Field(description="The best items first.")
