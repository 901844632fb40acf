"""https://github.com/ggml-org/llama.cpp/tree/master/tools/server, read November 2026; a real one is in `subjects`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Upstream
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.error_shapes import numbered
from tests.conformance.inference.vendor import Vendor


def guided(body: dict[str, Any], habits: Habits) -> Answer:
    """A real one answers with a fenced object, or with anything, to `json_object` without a schema."""
    if body.get("response_format") == {"type": "json_object"}:
        body = {name: value for name, value in body.items() if name != "response_format"}
    return chat(body, habits)


class LlamaCpp(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {**super().endpoints(), "/chat/completions": guided}


VENDOR = Vendor(
    make=partial(LlamaCpp, Habits(error=numbered)),
    has=(OPENAI | {"rerank"}) - {"limits"},  # its refusal of a long prompt has a type of its own
)
