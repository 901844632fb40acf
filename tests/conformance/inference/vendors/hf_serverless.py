"""https://huggingface.co/docs/inference-providers/index, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Endpoint, Habits, Upstream
from runtime.conformance.upstream.error_shapes import text
from tests.conformance.inference.vendor import Vendor


class Router(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": super().endpoints()["/chat/completions"]}


VENDOR = Vendor(
    make=partial(
        Router, Habits(reasoning_field="reasoning", unread_fields=frozenset({"max_completion_tokens"}), error=text)
    ),
    has=OPENAI - {"completions", "embeddings", "limits"},  # its errors may be a text
)
