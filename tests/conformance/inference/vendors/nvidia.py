"""A NIM container of one's own, read November 2026: https://docs.api.nvidia.com/nim/reference for chat, and
https://docs.nvidia.com/nim/nemo-retriever/ for embeddings and reranking.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.texts import scores_of
from tests.conformance.inference.vendor import Vendor


def check(path: str, body: dict[str, Any]) -> None:
    if path == "/embeddings" and body.get("input_type") not in ("query", "passage"):
        raise Refused(400, "'input_type' parameter is required", param="input_type")


def ranking(body: dict[str, Any], habits: Habits) -> Answer:
    passages = [passage["text"] for passage in body["passages"]]
    logits = [10 * score - 5 for score in scores_of(body["query"]["text"], passages)]
    entries = [{"index": place, "logit": logit} for place, logit in enumerate(logits)]
    return Answer(whole={"rankings": sorted(entries, key=lambda entry: -entry["logit"])})


class Nim(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        known = super().endpoints()
        return {**{path: known[path] for path in known if path != "/rerank"}, "/ranking": ranking}


VENDOR = Vendor(
    make=partial(Nim, Habits(usage="running", check=check, unread_fields=frozenset({"max_completion_tokens"}))),
    has=OPENAI | {"rerank"},
)
