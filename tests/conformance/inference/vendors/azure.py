"""https://learn.microsoft.com/en-us/azure/ai-foundry/openai/latest, read November 2026."""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Habits, Refused, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import metadata_if_kept

LIMITS = {"x-ratelimit-limit-requests": "300", "x-ratelimit-remaining-tokens": "29000"}


def error(refused: Refused) -> dict[str, Any]:
    facts = {"message": refused.message, "type": refused.type, "param": refused.param, "code": refused.code}
    filtered = {"innererror": {"code": "ResponsibleAIPolicyViolation"}} if refused.code == "content_filter" else {}
    return {"error": facts | filtered}


class Azure(Upstream):
    def listed(self) -> Any:
        """What could be deployed, whatever is."""
        return {"object": "list", "data": [{"id": "gpt-4o", "object": "model"}]}


VENDOR = Vendor(
    make=partial(
        Azure,
        Habits(
            root="/openai/v1", key_header="api-key", key_prefix="", check=metadata_if_kept, error=error, headers=LIMITS
        ),
    ),
    config={"allowed_models": [CHAT_MODEL, EMBEDDING_MODEL]},
)
