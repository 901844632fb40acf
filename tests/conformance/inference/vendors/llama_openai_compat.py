"""https://llama.developer.meta.com/docs/overview, as the vendor's client has it; the service closed in July 2026."""

from __future__ import annotations

from functools import partial

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Habits, Upstream
from tests.conformance.inference.vendor import Vendor

VENDOR = Vendor(
    make=partial(Upstream, Habits(root="/compat/v1", refused_fields=frozenset({"max_tokens"}))),
    has=OPENAI - {"completions", "embeddings"},
)
