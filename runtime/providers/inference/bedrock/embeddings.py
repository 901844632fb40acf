"""Vectors of the embedding models on Bedrock, each family with a body of its own for InvokeModel.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html,
https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html (read November 2026)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.sse import Json

_COHERE_TEXTS = 96
COUNT = "x-amzn-bedrock-input-token-count"
"""The header in which Bedrock counts the tokens of any model."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """body: of some texts, with the length of vectors and the request's other fields. vectors: in an answer, one for
    each text. texts: so many go into one request. sizes: whether the length of vectors can be chosen.
    """

    body: Callable[[Sequence[str], int | None, Json], Json]
    vectors: Callable[[Json], list[Any]]
    texts: int = 1
    sizes: bool = True


def form_of(base: str) -> Form | None:
    """The form of a model; None for one whose form is not known."""
    return next((form for beginning, form in _FORMS.items() if base.startswith(beginning)), None)


def _titan(texts: Sequence[str], length: int | None, more: Json) -> Json:
    return {"inputText": texts[0], **({"dimensions": length} if length is not None else {}), **more}


def _titan_image(texts: Sequence[str], length: int | None, more: Json) -> Json:
    sized = {"embeddingConfig": {"outputEmbeddingLength": length}} if length is not None else {}
    return {"inputText": texts[0], **sized, **more}


def _cohere(texts: Sequence[str], length: int | None, more: Json) -> Json:
    sized = {"output_dimension": length} if length is not None else {}
    return {"input_type": "search_document", "embedding_types": ["float"], **more, "texts": list(texts), **sized}


def _nova(texts: Sequence[str], length: int | None, more: Json) -> Json:
    purpose = more.pop("embeddingPurpose", None) or "GENERIC_INDEX"
    sized = {"embeddingDimension": length} if length is not None else {}
    text = {"truncationMode": "NONE", "value": texts[0]}
    single = {"embeddingPurpose": purpose, **sized, "text": text}
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": single, **more}


def _vectors_by_type(answer: Json) -> list[Any]:
    """Of Cohere: a list of vectors, or one for each type that was asked for."""
    found = answer["embeddings"]
    return list(found["float"] if isinstance(found, dict) else found)


_FORMS = {
    "amazon.titan-embed-image": Form(body=_titan_image, vectors=lambda answer: [answer["embedding"]]),
    "amazon.titan-embed-text-v2": Form(body=_titan, vectors=lambda answer: [answer["embedding"]]),
    "amazon.titan-embed": Form(body=_titan, vectors=lambda answer: [answer["embedding"]], sizes=False),
    "amazon.nova": Form(body=_nova, vectors=lambda answer: [one["embedding"] for one in answer["embeddings"]]),
    "cohere.embed-v4": Form(body=_cohere, vectors=_vectors_by_type, texts=_COHERE_TEXTS),
    "cohere.embed": Form(body=_cohere, vectors=_vectors_by_type, texts=_COHERE_TEXTS, sizes=False),
}
