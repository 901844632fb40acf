"""https://huggingface.github.io/text-embeddings-inference/, read November 2026."""

from __future__ import annotations

from tests.conformance.inference.vendor import Vendor

VENDOR = Vendor(has=frozenset({"embeddings", "rerank"}))
