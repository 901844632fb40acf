"""Another server of OpenAI's protocol, whose reranking is as Cohere's."""

from __future__ import annotations

from runtime.conformance.inference.subject import OPENAI
from tests.conformance.inference.vendor import Vendor

VENDOR = Vendor(has=OPENAI | {"rerank"})
