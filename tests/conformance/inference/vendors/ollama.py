"""https://docs.ollama.com/api/openai-compatibility, read November 2026; what it reads of a request is in its source,
`openai/openai.go`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Habits, Refused, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import NEWER

UNREAD = NEWER | frozenset(
    {"max_completion_tokens", "n", "tool_choice", "parallel_tool_calls", "logit_bias", "best_of", "echo", "user"}
)


def check(path: str, body: dict[str, Any]) -> None:
    if path == "/completions" and not isinstance(body["prompt"], str):
        raise Refused(400, "json: cannot unmarshal array into Go struct field CompletionRequest.prompt of type string")
    given = body.get("input")
    if path == "/embeddings" and not isinstance(given[0] if isinstance(given, list) else given, str):
        raise Refused(400, "invalid input type")


VENDOR = Vendor(
    make=partial(Upstream, Habits(reasoning_field="reasoning", unread_fields=UNREAD, check=check)),
    has=OPENAI - {"n", "tool_choice"},
)
