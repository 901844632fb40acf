"""https://api.jina.ai/redoc, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from runtime.conformance.upstream import Endpoint, Habits, Upstream
from runtime.conformance.upstream.error_shapes import detail
from tests.conformance.inference.vendor import Vendor


class Jina(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        known = super().endpoints()
        return {path: known[path] for path in ("/embeddings", "/rerank")}


VENDOR = Vendor(
    make=partial(Jina, Habits(unread_fields=frozenset({"encoding_format"}), error=detail)),
    has=frozenset({"embeddings", "rerank"}),
    registered=frozenset({"embedding", "rerank"}),
)
