"""https://platform.claude.com/docs/en/api/messages, read November 2026."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from aiohttp import web

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import CHAT_MODEL, Habits, Refused, Upstream, started_stream
from runtime.conformance.upstream.chat import chat
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._messages_checks import EFFORTS, NO_EFFORT, THINKS, check_form
from tests.conformance.inference.vendors._messages_form import (
    check_calls_are_answered,
    events_of,
    message_of,
    openai_of,
)

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
          404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error",
          529: "overloaded_error"}  # fmt: skip
LIMITS = {"anthropic-ratelimit-requests-limit": "4000", "anthropic-ratelimit-tokens-remaining": "399000"}
_MOST_LISTED = 1000


def of_anthropic(refused: Refused) -> dict[str, Any]:
    message = refused.message
    if refused.code == "context_length_exceeded":
        message = f"prompt is too long: 12000 tokens > 10000 maximum ({message})"
    error = {"type": _TYPES.get(refused.status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": "req_1"}


def check(path: str, body: dict[str, Any]) -> None:
    check_form(body, is_counted=path.endswith("/count_tokens"))


class Anthropic(Upstream):
    """page: how many models it lists at once, whatever is asked for."""

    page = _MOST_LISTED

    def allows(self, request: web.Request) -> bool:
        return super().allows(request) and "authorization" not in request.headers

    def read(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return openai_of(body)

    def knows(self, body: dict[str, Any]) -> bool:
        return body.get("model") in (*self.models, *THINKS)

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        if not self.allows(request):
            raise Refused(401, "invalid x-api-key")
        if request.headers.get("anthropic-version") != "2023-06-01":
            raise Refused(400, "anthropic-version: header is required")
        path = request.path.removeprefix(self.habits.root)
        if (request.method, path) == ("GET", "/models"):
            return web.json_response(self.models_after(request.query), headers=self.habits.headers)
        if request.method != "POST" or path not in ("/messages", "/messages/count_tokens"):
            raise Refused(404, f"Not Found: {request.path}")
        body = json.loads(raw)
        check(path, body)
        if not self.knows(body):
            raise Refused(404, f"model: {body['model']}")
        check_calls_are_answered(body)
        asked = openai_of(body)
        for tool in asked.get("tools") or ():
            tool["function"].pop("strict", None)  # here it does not ask for `required`
        answer = chat(asked, self.habits).whole
        message = message_of(answer, shows_thinking=(body.get("thinking") or {}).get("display") != "omitted")
        if path.endswith("/count_tokens"):
            return web.json_response({"input_tokens": message["usage"]["input_tokens"]})
        if not body.get("stream"):
            return web.json_response(message, headers=self.habits.headers)
        return await self.streamed(request, message)

    async def streamed(self, request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        stream = await started_stream(request, self.habits.headers)
        for place, event in enumerate(events_of(message)):
            if place == 1 and not self.gate.is_set():
                self.waiting_at_gate.set()
                await self.gate.wait()
            await stream.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await stream.write_eof()
        return stream

    def models_after(self, query: Any) -> dict[str, Any]:
        """A page of the list, behind a model of the page before."""
        names, after = [*self.models, *THINKS], query.get("after_id")
        rest = names[names.index(after) + 1 :] if after else names
        shown = rest[: min(int(query.get("limit", 20)), self.page)]
        return {
            "data": [listed(name) for name in shown], "has_more": len(rest) > len(shown),
            "first_id": shown[0] if shown else None, "last_id": shown[-1] if shown else None,
        }  # fmt: skip


def listed(name: str) -> dict[str, Any]:
    """A model as the list has it. That with the tests' name says that it thinks by itself, and has every effort."""

    def supported(does: bool, **more: Any) -> dict[str, Any]:
        return {"supported": does, **more}

    kinds = THINKS.get(name, ("adaptive", "enabled", "disabled"))
    efforts = [effort for effort in EFFORTS if effort not in NO_EFFORT.get(name, ())]
    types = {kind: supported(kind in kinds) for kind in ("adaptive", "enabled", "disabled", "between_tools")}
    can = {
        "thinking": supported(True, types=types),
        "effort": supported(bool(efforts), **{effort: supported(effort in efforts) for effort in EFFORTS}),
        "structured_outputs": supported(True), "image_input": supported(True), "pdf_input": supported(True),
        "citations": supported(True), "batch": supported(True), "code_execution": supported(False),
    }  # fmt: skip
    return {
        "type": "model", "id": name, "display_name": name.title(), "created_at": "2026-02-04T00:00:00Z",
        "max_input_tokens": 10000 if name == CHAT_MODEL else 200000, "max_tokens": 8000, "capabilities": can,
        "lifecycle": "active",
    }  # fmt: skip


VENDOR = Vendor(
    make=partial(
        Anthropic, Habits(key_header="x-api-key", key_prefix="", headers=LIMITS, error=of_anthropic, check=check)
    ),
    has=OPENAI - {"completions", "embeddings", "embedding_usage", "n", "seed", "logprobs"},
    passes_unknown_fields=False,
)
