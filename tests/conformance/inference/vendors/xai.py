"""https://docs.x.ai/docs/api-reference, read November 2026."""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Habits, Refused, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import refuse

LIMITS = {"x-ratelimit-limit-requests": "480", "x-ratelimit-limit-tokens": "2000000"}


def error(refused: Refused) -> dict[str, Any]:
    return {"code": refused.code or "invalid-argument", "error": refused.message}


def check(path: str, body: dict[str, Any]) -> None:
    refuse(body, ("tools[].function.strict",))


VENDOR = Vendor(make=partial(Upstream, Habits(error=error, check=check, headers=LIMITS)), has=OPENAI - {"embeddings"})
