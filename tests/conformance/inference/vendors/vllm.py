"""https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html, read November 2026."""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Habits, Refused, Upstream
from runtime.conformance.upstream.error_shapes import numbered
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import NEWER


def check(path: str, body: dict[str, Any]) -> None:
    if body.get("suffix") is not None:
        raise Refused(400, "suffix is not currently supported")


HABITS = Habits(reasoning_field="reasoning", unread_fields=NEWER, check=check, error=numbered)
VENDOR = Vendor(
    make=partial(Upstream, HABITS),
    has=(OPENAI | {"rerank"}) - {"limits"},  # its refusal of a long prompt has no code but the status
)
