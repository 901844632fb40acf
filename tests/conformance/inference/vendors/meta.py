"""https://developer.meta.com/ai, read November 2026."""

from __future__ import annotations

from tests.conformance.inference.vendor import OPENAI, Vendor

VENDOR = Vendor(has=OPENAI - {"completions", "embeddings"})
