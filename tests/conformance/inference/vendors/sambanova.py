"""https://docs.sambanova.ai/docs/en/features/openai-compatibility and the vendor's client, read November 2026."""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Habits, Refused, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import refuse

UNREAD = frozenset({"n", "seed", "logprobs", "top_logprobs", "logit_bias", "frequency_penalty", "presence_penalty"})
LIMITS = {"x-ratelimit-limit-requests": "400", "x-ratelimit-remaining-requests-day": "11999"}


def check(path: str, body: dict[str, Any]) -> None:
    refuse(body, ("encoding_format", "messages[].reasoning_content"))
    if (body.get("response_format") or {}).get("type") == "text":
        raise Refused(400, "response_format must be json_object or json_schema", param="response_format.type")
    for message in body.get("messages", ()):
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if part["type"] == "image_url" and not part["image_url"]["url"].startswith("data:"):
                raise Refused(400, "only base64 encoded images are supported", param="image_url")


def error(refused: Refused) -> dict[str, Any]:
    facts = {"message": refused.message, "type": refused.type, "param": refused.param, "code": refused.code}
    return {"error": facts, "request_id": "r1"}


VENDOR = Vendor(
    make=partial(
        Upstream,
        Habits(reasoning_field="reasoning", unread_fields=UNREAD, error=error, check=check, headers=LIMITS),
    ),
    has=OPENAI - {"n", "seed", "logprobs"},
)
