"""https://inference-docs.cerebras.ai/api-reference/chat-completions and /support/error, read November 2026."""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Habits, Refused, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import refuse

LIMITS = {"x-ratelimit-limit-requests-day": "14400", "x-ratelimit-remaining-tokens-minute": "59000"}


def flat(refused: Refused) -> dict[str, Any]:
    return {"message": refused.message, "type": refused.type, "param": refused.param, "code": refused.code}


def check(path: str, body: dict[str, Any]) -> None:
    refuse(body, ("messages[].reasoning_content",))


VENDOR = Vendor(
    make=partial(Upstream, Habits(reasoning_field="reasoning", error=flat, check=check, headers=LIMITS)),
    has=OPENAI - {"embeddings"},
)
