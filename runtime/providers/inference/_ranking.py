"""What every provider that reranks does alike: the texts of a request, and its results from scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from runtime.apis.inference.protocol import RerankRequest
from runtime.context import warn
from runtime.errors import RequestError
from runtime.sse import Json, Reply


class Ranked(Protocol):
    """What a model in this process says. scores: one for each document, higher for a better answer. total_tokens: what
    it read. query_tokens: of the whole query; query_read: how many of these were read with every document.
    documents_cut: those that were not read to the end.
    """

    @property
    def scores(self) -> Sequence[float]: ...
    @property
    def total_tokens(self) -> int: ...
    @property
    def query_tokens(self) -> int: ...
    @property
    def query_read(self) -> int: ...
    @property
    def documents_cut(self) -> tuple[int, ...]: ...


def reply_of(request: RerankRequest, ranking: Ranked, *, max_tokens: int) -> Reply:
    """The answer, with warnings of what was cut. max_tokens: of a document and the query together."""
    if ranking.query_tokens > ranking.query_read:
        warn(
            f"cut at the end: `query` has {ranking.query_tokens} tokens;"
            f" `{request.model}` takes {ranking.query_read} of it"
        )
    if ranking.documents_cut:
        first, *others = ranking.documents_cut
        warn(
            f"cut at the end: `documents[{first}]`{f' and {len(others)} more' if others else ''};"
            f" `{request.model}` takes {max_tokens} tokens of a document and the query together"
        )
    results = best_first(request, enumerate(ranking.scores))
    return Reply.of({"model": request.model, "results": results, "usage": {"total_tokens": ranking.total_tokens}})


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
