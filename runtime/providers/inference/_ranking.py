"""What every provider that reranks does alike: the texts of a request, and its results from scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runtime.apis.inference.protocol import RerankRequest
from runtime.errors import RequestError
from runtime.sse import Json


def texts_of(request: RerankRequest) -> list[str]:
    """The texts of the documents. Raises RequestError for a document without one."""
    return [_text(document, place) for place, document in enumerate(request.documents)]


def best_first(request: RerankRequest, scores: Iterable[tuple[int, float]]) -> list[Json]:
    """The results, as many as were asked for. scores: by which document, from 0; a tie keeps its order."""
    best = sorted(scores, key=lambda one: -one[1])[: request.top_n]
    return [_result(request, index, score) for index, score in best]


def _result(request: RerankRequest, index: int, score: float) -> Json:
    result: Json = {"index": index, "relevance_score": score}
    if request.return_documents:
        document = request.documents[index]
        result["document"] = {"text": document} if isinstance(document, str) else document
    return result


def _text(document: str | dict[str, Any], place: int) -> str:
    if isinstance(document, str):
        return document
    if isinstance(text := document.get("text"), str):
        return text
    raise RequestError("only documents with a `text` can be sent", param=f"documents[{place}]", code="invalid_value")
