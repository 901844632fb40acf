"""Another server of OpenAI's protocol, whose reranking is as Cohere's."""

from __future__ import annotations

from tests.conformance.inference.vendor import OPENAI, Vendor

VENDOR = Vendor(has=OPENAI | {"rerank"})
