"""https://lmstudio.ai/docs/developer/openai-compat, read November 2026."""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Habits, Refused, Upstream
from runtime.conformance.upstream.error_shapes import text
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import NEWER


def check(path: str, body: dict[str, Any]) -> None:
    if isinstance(body.get("tool_choice"), dict):
        raise Refused(400, "Invalid tool_choice type: 'object'. Supported string values: none, auto, required")
    if (body.get("response_format") or {}).get("type") == "json_object":
        raise Refused(400, "'response_format.type' must be 'json_schema' or 'text'")


VENDOR = Vendor(
    make=partial(Upstream, Habits(check=check, unread_fields=NEWER | {"max_completion_tokens"}, error=text)),
    has=OPENAI - {"limits"},  # its errors have no code
)
