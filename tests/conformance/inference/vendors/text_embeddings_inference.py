"""https://huggingface.github.io/text-embeddings-inference/, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.upstream import EMBEDDING_MODEL, RERANK_MODEL, Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.error_shapes import message_and_code
from runtime.conformance.upstream.texts import scores_of
from tests.conformance.inference.vendor import Vendor


def rerank(body: dict[str, Any], habits: Habits) -> Answer:
    if not body.get("texts"):
        raise Refused(422, "Failed to deserialize the JSON body into the target type: missing field `texts`")
    scores = scores_of(body["query"], body["texts"])
    entries: Any = [{"index": place, "score": score} for place, score in enumerate(scores)]
    return Answer(whole=sorted(entries, key=lambda entry: -entry["score"]))


class TEI(Upstream):
    """One model, which a request need not name; reranking is not below `/v1`."""

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/embeddings": super().endpoints()["/embeddings"]}

    def endpoint_at(self, path: str) -> Endpoint | None:
        return rerank if path == "/rerank" else super().endpoint_at(path)

    def knows(self, body: dict[str, Any]) -> bool:
        return True

    def listed(self) -> Any:
        """https://huggingface.github.io/text-embeddings-inference/#/Text%20Embeddings%20Inference/get_model_info"""
        name = EMBEDDING_MODEL if EMBEDDING_MODEL in self.models else RERANK_MODEL
        labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        kind = {"embedding": {"pooling": "cls"}} if name == EMBEDDING_MODEL else {"reranker": labels}
        return {"model_id": name, "model_dtype": "float16", "model_type": kind, "version": "1.8.0"}


VENDOR = Vendor(
    make=partial(TEI, Habits(models_path="/info", error=message_and_code)),
    has=frozenset({"embeddings", "rerank"}),
    registered=frozenset({"rerank"}),
)
