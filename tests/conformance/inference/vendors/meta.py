"""https://developer.meta.com/ai, read November 2026."""

from __future__ import annotations

from runtime.conformance.inference.subject import OPENAI
from tests.conformance.inference.vendor import Vendor

VENDOR = Vendor(has=OPENAI - {"completions", "embeddings"})
