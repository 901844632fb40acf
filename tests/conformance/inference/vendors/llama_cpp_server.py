"""https://github.com/ggml-org/llama.cpp/tree/master/tools/server, read November 2026; a real one is in `subjects`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tests.conformance.inference.vendor import OPENAI, Vendor
from tests.support.upstream import Answer, Endpoint, Habits, Upstream
from tests.support.upstream.chat import chat
from tests.support.upstream.error_shapes import numbered


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
