"""https://docs.voyageai.com/reference/embeddings-api and /reranker-api, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.error_shapes import detail
from runtime.conformance.upstream.texts import embeddings, rerank
from tests.conformance.inference.vendor import Vendor


def check(path: str, body: dict[str, Any]) -> None:
    if body.get("encoding_format") not in (None, "base64"):
        raise Refused(400, "Value for 'encoding_format' must be null or 'base64'")
    for name in {"dimensions", "top_n", "user"} & body.keys():
        raise Refused(400, f"Argument '{name}' is not supported by our API")


def embed(body: dict[str, Any], habits: Habits) -> Answer:
    answer = embeddings(body, habits)
    answer.whole["usage"] = {"total_tokens": answer.whole["usage"]["total_tokens"]}
    return answer


def ranked(body: dict[str, Any], habits: Habits) -> Answer:
    answer = rerank({**body, "top_n": body.get("top_k")}, habits)
    return Answer(whole={"object": "list", "data": answer.whole["results"], "usage": answer.whole["usage"]})


class Voyage(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/embeddings": embed, "/rerank": ranked}


VENDOR = Vendor(
    make=partial(Voyage, Habits(check=check, error=detail)),
    has=frozenset({"embeddings", "rerank"}),
    registered=frozenset({"embedding", "rerank"}),
)
