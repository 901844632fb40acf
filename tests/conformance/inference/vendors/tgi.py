"""https://huggingface.co/docs/text-generation-inference/reference/api_reference, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.error_shapes import text_and_type
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import NEWER

UNREAD = NEWER | frozenset({"max_completion_tokens", "n", "user", "parallel_tool_calls", "best_of", "echo"})


def check(path: str, body: dict[str, Any]) -> None:
    if body.get("logit_bias") is not None and not isinstance(body["logit_bias"], list):
        raise Refused(422, "Failed to deserialize the JSON body into the target type: logit_bias: expected a sequence")
    wanted = body.get("response_format")
    if wanted is not None and (wanted.get("type") not in ("json", "json_schema", "regex") or "value" not in wanted):
        raise Refused(422, "Failed to deserialize the JSON body into the target type: response_format")


def guided(body: dict[str, Any], habits: Habits) -> Answer:
    wanted = body.get("response_format")
    if wanted is not None:
        schema = {"type": "json_schema", "json_schema": {"name": "guided", "schema": wanted["value"]}}
        body = {**body, "response_format": schema}
    return chat(body, habits)


class TGI(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        known = super().endpoints()
        return {"/chat/completions": guided, "/completions": known["/completions"]}


VENDOR = Vendor(
    make=partial(TGI, Habits(check=check, unread_fields=UNREAD, error=text_and_type)),
    has=OPENAI - {"n", "embeddings", "limits"},  # its errors have no code
)
