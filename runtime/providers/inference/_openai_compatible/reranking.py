"""Reranking at a vendor: its own names for the request, and its own form of the answer.

There is no standard: https://docs.cohere.com/reference/rerank is what most vendors follow. Scores are the vendor's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from runtime.apis.inference.protocol import RerankRequest
from runtime.errors import RequestError
from runtime.providers.inference._openai_compatible.outgoing_fields import apply_rules, given_fields
from runtime.providers.inference._openai_compatible.spec import Rerank
from runtime.providers.inference._ranking import best_first, texts_of
from runtime.sse import Json


class NotARanking(Exception):
    """An answer that is no ranking of the documents; the message says why."""


_OURS = ("model", "query", "documents", "top_n", "return_documents")


def path_of(rerank: Rerank, model: str) -> str:
    """Where the vendor reranks: below its base URL, or a whole address."""
    return rerank.path.replace("{model}", in_path(model)) if "{model}" in rerank.path else rerank.path


def in_path(model: str, *, safe: str = "/") -> str:
    """A model's name as a part of a path. safe: what stays as it is. Raises RequestError for a name with which the path
    would lead elsewhere.
    """
    if not {".", ".."}.isdisjoint(model.split("/")):
        raise RequestError(f"`{model}` cannot be a part of an address", param="model", code="invalid_value")
    return quote(model, safe=safe)


def body_of(rerank: Rerank, request: RerankRequest, *, provider_id: str) -> Json:
    """The vendor's request. Raises RequestError for a document without a text where only texts can be sent.

    Documents are returned by us, so the vendor is not asked for them.
    """
    sent = given_fields(request)
    body = {name: value for name, value in sent.items() if name not in _OURS}
    body["model"] = sent["model"]
    query, documents = request.query, texts_of(request)
    if rerank.as_objects:
        body[rerank.query], body[rerank.documents] = {"text": query}, [{"text": text} for text in documents]
    else:
        body[rerank.query] = [query] if rerank.query_as_list else query
        body[rerank.documents] = documents
    if rerank.top_n and request.top_n is not None:
        body[rerank.top_n] = request.top_n
    apply_rules(rerank.rules, body, provider_id=provider_id)
    return body


def answer_of(rerank: Rerank, request: RerankRequest, answer: Any) -> Json:
    """Our answer, best document first. answer: the vendor's JSON. Raises NotARanking."""
    entries = answer.get(rerank.results) if rerank.results and isinstance(answer, dict) else answer
    if not isinstance(entries, list):
        raise NotARanking("no list of results")
    if not rerank.score and len(entries) != len(request.documents):
        raise NotARanking(f"{len(entries)} scores for {len(request.documents)} documents")
    scores = [_score(rerank, place, entry, request) for place, entry in enumerate(entries)]
    if len({index for index, _ in scores}) < len(scores):
        raise NotARanking("several results for one document")
    made: Json = {"model": request.model, "results": best_first(request, scores)}
    if isinstance(answer, dict):
        made |= {name: answer[name] for name in ("id", "usage", "meta") if answer.get(name) is not None}
    return made


def _score(rerank: Rerank, place: int, entry: Any, request: RerankRequest) -> tuple[int, float]:
    """Which document a vendor's result is about, and its score."""
    index: Any = place
    score = entry
    if rerank.score:
        if not isinstance(entry, dict):
            raise NotARanking("a result that is not an object")
        index, score = entry.get("index"), entry.get(rerank.score)
    if type(index) is not int or not 0 <= index < len(request.documents):
        raise NotARanking(f"a result for document {index!r} of {len(request.documents)}")
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise NotARanking(f"a score that is not a number: {score!r}")
    try:
        return index, float(score)
    except OverflowError as error:
        raise NotARanking("a score beyond all range") from error
