"""https://ai.google.dev/api, read November 2026."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from aiohttp import web

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import EMBEDDING_MODEL, Habits, Refused, Upstream, started_stream
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.texts import vector_of
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._gemini_form import (
    check_form,
    events_of,
    gemini_of,
    openai_of,
)

_METHOD = re.compile(r"/models/([^/:]+):(\w+)$")
_STATUSES = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_MOST_TEXTS = 100


def has_levels(model: str) -> bool:
    """Whether it is of the third generation, whose calls have ids and signatures."""
    return not model.startswith("gemini-2")


def of_google(refused: Refused) -> dict[str, Any]:
    message = refused.message
    if refused.code == "context_length_exceeded":
        message = "The input token count (12000) exceeds the maximum context length (10000)."
    status = _STATUSES.get(refused.status, "INVALID_ARGUMENT")
    return {"error": {"code": refused.status, "message": message, "status": status}}


def check(path: str, body: dict[str, Any]) -> None:
    model, method = method_at(path)
    if method.endswith("GenerateContent") or method == "generateContent":
        check_form(body, has_levels=has_levels(model))


def method_at(path: str) -> tuple[str, str]:
    found = _METHOD.search(path)
    if found is None:
        raise Refused(404, f"Not Found: {path}")
    return found[1], found[2]


class Gemini(Upstream):
    """It takes a key in a header of its own, or a token as others do."""

    def allows(self, request: web.Request) -> bool:
        bearer = request.headers.get("authorization") == f"Bearer {self.key}"
        return self.key is None or bearer or super().allows(request)

    def read(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        model, method = method_at(path)
        if method != "batchEmbedContents":
            return openai_of(body, model) | {"stream": method == "streamGenerateContent"}
        requests = body["requests"]
        made = {"model": model, "input": [one["content"]["parts"][0]["text"] for one in requests]}
        names = {"outputDimensionality": "dimensions", "taskType": "input_type"}
        first = requests[0] if requests else {}
        return made | {ours: first[theirs] for theirs, ours in names.items() if theirs in first}

    def listed(self) -> Any:
        return {"models": [_listed(name) for name in (*self.models, "veo-9")]}

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        if not self.allows(request):
            raise Refused(401, "Request had invalid authentication credentials.")
        if (request.method, request.path) == ("GET", f"{self.habits.root}/models"):
            return web.json_response(self.listed())
        if not request.path.startswith(f"{self.habits.root}/"):
            raise Refused(404, f"Not Found: {request.path}")
        model, method = method_at(request.path)
        body = json.loads(raw)
        if model not in self.models:
            raise Refused(404, f"models/{model} is not found for API version v1beta, or is not supported")
        return await self.called(request, model, method, body)

    async def called(self, request: web.Request, model: str, method: str, body: dict[str, Any]) -> web.StreamResponse:
        if method == "batchEmbedContents":
            return web.json_response(vectors(body, model))
        if method == "countTokens":
            asked = body["generateContentRequest"]
            if body.keys() != {"generateContentRequest"} or asked.pop("model") != f"models/{model}":
                raise Refused(400, f"* CountTokensRequest: wrong: {body}")
            return self.counted(model, asked)
        return await self.generated(request, model, method, body)

    def counted(self, model: str, body: dict[str, Any]) -> web.Response:
        """https://ai.google.dev/api/tokens"""
        check_form(body, has_levels=has_levels(model))
        usage = chat(openai_of(body, model), self.habits).whole["usage"]
        return web.json_response({"totalTokens": usage["prompt_tokens"]})

    async def generated(
        self, request: web.Request, model: str, method: str, body: dict[str, Any]
    ) -> web.StreamResponse:
        check_form(body, has_levels=has_levels(model))
        is_streamed = method == "streamGenerateContent"
        if method not in ("generateContent", "streamGenerateContent"):
            raise Refused(404, f"Not Found: {method}")
        asked = openai_of(body, model)
        answer = chat(asked, self.habits).whole
        if not is_streamed:
            return web.json_response(gemini_of(answer, has_ids=has_levels(model)), headers=self.habits.headers)
        if request.query.get("alt") != "sse":
            raise Refused(400, "the server tests only `alt=sse`")
        if asked.get("n", 1) != 1:
            raise Refused(400, "Multiple candidates is not enabled for streaming")
        stream = await started_stream(request, self.habits.headers)
        for place, event in enumerate(events_of(answer, has_ids=has_levels(model))):
            if place == 1 and not self.gate.is_set():
                self.waiting_at_gate.set()
                await self.gate.wait()
            await stream.write(b"data: " + json.dumps(event).encode() + b"\r\n\r\n")
        await stream.write_eof()
        return stream


def vectors(body: dict[str, Any], model: str) -> dict[str, Any]:
    """https://ai.google.dev/api/embeddings#method:-models.batchembedcontents"""
    requests = body["requests"]
    if body.keys() != {"requests"} or not 0 < len(requests) <= _MOST_TEXTS:
        raise Refused(400, "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch")
    for one in requests:
        if one.keys() - {"model", "content", "taskType", "title", "outputDimensionality"}:
            raise Refused(400, f"Invalid JSON payload received. Unknown name in {[*one]}: Cannot find field.")
        if one["model"] != f"models/{model}":
            raise Refused(400, f"* requests[].model: unexpected model name format: {one['model']}")
    texts = ["".join(part["text"] for part in one["content"]["parts"]) for one in requests]
    size = requests[0].get("outputDimensionality")
    made: dict[str, Any] = {"embeddings": [{"values": vector_of(text)[:size]} for text in texts]}
    return made


def _listed(name: str) -> dict[str, Any]:
    methods = ["generateContent", "countTokens"]
    if name == EMBEDDING_MODEL:
        methods = ["embedContent"]
    elif name.startswith("veo"):
        methods = ["predictLongRunning"]
    return {"name": f"models/{name}", "inputTokenLimit": 10000, "supportedGenerationMethods": methods}


VENDOR = Vendor(
    make=partial(
        Gemini, Habits(root="/v1beta", key_header="x-goog-api-key", key_prefix="", error=of_google, check=check)
    ),
    has=OPENAI - {"completions", "embedding_usage"},
    passes_unknown_fields=False,
)
