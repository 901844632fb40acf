"""https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Endpoint, Habits, Upstream
from runtime.conformance.upstream.texts import rerank
from tests.conformance.inference.vendor import Vendor


class DashScope(Upstream):
    """Reranking is at another address of the same host."""

    def endpoints(self) -> Mapping[str, Endpoint]:
        known = super().endpoints()
        return {path: known[path] for path in ("/chat/completions", "/embeddings")}

    def endpoint_at(self, path: str) -> Endpoint | None:
        return rerank if path == "/compatible-api/v1/reranks" else super().endpoint_at(path)


HABITS = Habits(root="/compatible-mode/v1", unread_fields=frozenset({"max_completion_tokens", "frequency_penalty"}))
VENDOR = Vendor(
    make=partial(DashScope, HABITS),
    has=(OPENAI | {"rerank"}) - {"completions", "lists"},
    registered=frozenset({"llm", "embedding", "rerank"}),
)
