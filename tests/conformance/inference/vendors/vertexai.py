"""https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference, .../migrate/openai/overview,
.../model-reference/text-embeddings-api and https://cloud.google.com/generative-ai-app-builder/docs/ranking, read
November 2026.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from aiohttp import web

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    RERANK_MODEL,
    Endpoint,
    Habits,
    Refused,
    Upstream,
)
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.texts import scores_of, vector_of
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import has
from tests.conformance.inference.vendors.gemini import Gemini, method_at, of_google
from tests.conformance.inference.vendors.gemini import check as check_gemini

PROJECT = "my-project"
GEMINI_MODEL = "gemini-small"
_PLACE = f"/projects/{PROJECT}/locations/global"
OPENAI_PATH = f"{_PLACE}/endpoints/openapi/chat/completions"
_RANKING = f"{_PLACE}/rankingConfigs/default_ranking_config:rank"
_PASSED_OVER = ("logit_bias", "verbosity", "audio", "user", "store", "metadata", "parallel_tool_calls", "prediction")
_AT_ONCE = {"gemini-embedding-001": 1}


def check(path: str, body: dict[str, Any]) -> None:
    if path.endswith("/chat/completions"):
        for name in _PASSED_OVER:
            if has(body, name):
                raise Refused(400, f"the endpoint passes over `{name}` without a word")
    elif path.endswith(":rank"):
        _check_rank(body)
    elif path.endswith((":streamGenerateContent", ":generateContent")):
        check_gemini(path, body)
    else:
        _texts(method_at(path)[0], path, body)


class Vertex(Gemini):
    """At the addresses of one project, in `global`."""

    def endpoint_at(self, path: str) -> Endpoint | None:
        at = path.removeprefix(self.habits.root)
        is_deployed = at.startswith(f"{_PLACE}/endpoints/") and at.endswith("/chat/completions")
        return chat if is_deployed else None

    def knows(self, body: dict[str, Any]) -> bool:
        return body.get("model") == "" or str(body.get("model")).removeprefix("google/") in self.models

    def read(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/chat/completions"):
            return body | {"model": body["model"].removeprefix("google/")}
        if path.endswith(":rank"):
            known = ("model", "query", "records", "topN", "ignoreRecordDetailsInResponse")
            more = {name: value for name, value in body.items() if name not in known}
            documents = [record["content"] for record in body["records"]]
            top = {"top_n": body["topN"]} if "topN" in body else {}
            return {"model": body["model"], "query": body["query"], "documents": documents, **top, **more}
        model, method = method_at(path)
        if method not in ("predict", "embedContent"):
            return super().read(path, body)
        settings = body.get("parameters") or body.get("embedContentConfig") or {}
        made = {"model": model, "input": _texts(model, path, body)}
        if "outputDimensionality" in settings:
            made["dimensions"] = settings["outputDimensionality"]
        tasks = [one["task_type"] for one in body.get("instances") or () if "task_type" in one]
        return made | ({"input_type": tasks[0]} if tasks else {})

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        at = request.path.removeprefix(self.habits.root)
        if not at.startswith(_PLACE) or request.method != "POST":
            raise Refused(404, f"Not Found: {request.path}")
        if at == _RANKING and self.allows(request):
            return web.json_response(_ranked(json.loads(raw)))
        if at.endswith("/chat/completions"):
            return await Upstream._answer(self, request, raw)
        if not at.startswith(f"{_PLACE}/publishers/google/models/"):
            raise Refused(404, f"Not Found: {request.path}")
        return await super()._answer(request, raw)

    async def called(self, request: web.Request, model: str, method: str, body: dict[str, Any]) -> web.StreamResponse:
        if method == "countTokens":
            if body.keys() - {"contents", "systemInstruction", "tools", "generationConfig"}:
                raise Refused(400, f"Invalid JSON payload received. Unknown name in {[*body]}: Cannot find field.")
            return self.counted(model, body)
        if method not in ("predict", "embedContent"):
            return await self.generated(request, model, method, body)
        size = (body.get("parameters") or body.get("embedContentConfig") or {}).get("outputDimensionality")
        vectors = [vector_of(text)[:size] for text in _texts(model, request.path, body)]
        if method == "embedContent":
            return web.json_response({"embedding": {"values": vectors[0]}, "usageMetadata": {"promptTokenCount": 2}})
        counted = {"statistics": {"token_count": 2, "truncated": False}}
        return web.json_response({"predictions": [{"embeddings": {"values": one, **counted}} for one in vectors]})


def _texts(model: str, path: str, body: dict[str, Any]) -> list[str]:
    """Raises Refused for what the model's method does not take."""
    if path.endswith(":embedContent"):
        settings = body.get("embedContentConfig", {})
        known = {"autoTruncate", "outputDimensionality", "taskType", "title"}
        if body.keys() - {"content", "embedContentConfig"} or settings.keys() - known:
            raise Refused(400, f"Invalid JSON payload received. Unknown name in {[*body]}: Cannot find field.")
        return ["".join(part["text"] for part in body["content"]["parts"])]
    if body.keys() - {"instances", "parameters"}:
        raise Refused(400, f"Invalid JSON payload received. Unknown name in {[*body]}: Cannot find field.")
    most = _AT_ONCE.get(model, 250)
    if not 0 < len(body["instances"]) <= most:
        raise Refused(400, f"{len(body['instances'])} instance(s) is not allowed. Max allowed is {most}.")
    for one in body["instances"]:
        if one.keys() - {"content", "task_type", "title"}:
            raise Refused(400, f"Unknown fields of an instance: {[*one]}")
    return [one["content"] for one in body["instances"]]


def _check_rank(body: dict[str, Any]) -> None:
    known = {"model", "query", "records", "topN", "ignoreRecordDetailsInResponse"}
    if body.keys() - known:
        raise Refused(400, f"Invalid JSON payload received. Unknown name in {[*body]}: Cannot find field.")
    if not 0 < len(body["records"]) <= 200:
        raise Refused(400, "At most 200 records can be ranked.")


def _ranked(body: dict[str, Any]) -> dict[str, Any]:
    _check_rank(body)
    records = body["records"]
    scores = scores_of(body["query"], [record["content"] for record in records])
    best = sorted(range(len(records)), key=lambda at: -scores[at])[: body.get("topN") or None]
    return {"records": [{"id": records[at]["id"], "score": scores[at]} for at in best]}


HABITS = Habits(root="/v1", error=of_google, check=check)
VENDOR = Vendor(
    make=partial(Vertex, HABITS),
    has=(OPENAI | {"rerank"}) - {"completions", "lists"},
    config={"project": PROJECT, "allowed_models": [CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL]},
    passes_unknown_fields=True,
)
