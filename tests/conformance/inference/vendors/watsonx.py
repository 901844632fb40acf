"""https://cloud.ibm.com/apidocs/watsonx-ai and https://cloud.ibm.com/apidocs/iam-identity-token-api (November 2026)."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from runtime.clock import wall_time
from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    Habits,
    Refused,
    Upstream,
    started_stream,
)
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.texts import scores_of, vector_of
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import has

KEY, USER, PASSWORD = "ibm-cloud-api-key_0123456789", "ada", "secret-of-ada"
PROJECT = "4947c695-a374-428c-acca-332c1a1dc9e9"
FUNCTIONS = {CHAT_MODEL: ["text_generation", "text_chat", "image_chat"], EMBEDDING_MODEL: ["embedding"]}
LIMITS: dict[str, dict[str, int]] = {
    CHAT_MODEL: {"max_sequence_length": 4096, "max_output_tokens": 1024},
    EMBEDDING_MODEL: {"max_sequence_length": 512, "embedding_dimension": 8},
}
CHARGED = {"project_id", "space_id"}
FIELDS = {
    "/ml/v1/text/chat": {
        *("model_id", "messages", "tools", "tool_choice", "tool_choice_option", "frequency_penalty", "logit_bias"),
        *("logprobs", "top_logprobs", "max_tokens", "max_completion_tokens", "n", "presence_penalty", "seed", "stop"),
        *("temperature", "top_p", "time_limit", "response_format", "chat_template_kwargs", "include_reasoning"),
        *("reasoning_effort", "guided_choice", "guided_regex", "guided_grammar", "repetition_penalty"),
        *("length_penalty", "context", "moderations", "crypto"),
    },
    "/ml/v1/text/embeddings": {"model_id", "inputs", "parameters", "crypto"},
    "/ml/v1/text/rerank": {"model_id", "inputs", "query", "parameters", "crypto"},
}
FIELDS["/ml/v1/text/chat_stream"] = FIELDS["/ml/v1/text/chat"]
KNOWN = {*CHARGED, *(name for names in FIELDS.values() for name in names)}
OPENAIS = {
    *("model", "stream", "stream_options", "user", "store", "metadata", "service_tier", "prediction", "modalities"),
    *("audio", "verbosity", "web_search_options", "functions", "function_call", "parallel_tool_calls", "dimensions"),
    *("encoding_format", "input", "documents", "top_n", "max_tokens_per_doc", "safety_identifier", "input_type"),
    *("prompt_cache_key", "prompt_cache_retention"),
} - KNOWN
"""What it refuses of OpenAI's; what else it does not know is a test's."""
NOT_IN_MESSAGES = ("messages[].annotations", "messages[].reasoning_content", "messages[].tool_calls[].extra_content")


def jwt(subject: str, *, lives_s: float = 3600) -> str:
    parts = ({"alg": "HS256"}, {"sub": subject, "exp": wall_time() + lives_s})
    return ".".join([*(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts), "c2ln"])


TOKEN = jwt("whoever has a token already")


def check(path: str, body: dict[str, Any]) -> None:
    if not CHARGED & body.keys():
        raise Refused(400, "Either space_id or project_id has to be given", code="invalid_request_entity")
    if unknown := sorted(body.keys() & OPENAIS):
        raise Refused(400, f"Json document contains unknown fields: {unknown}", code="json_validation_error")
    if not isinstance(body.get("tool_choice", {}), dict):
        raise Refused(400, "tool_choice: expected an object", code="json_type_error")
    if body.get("tool_choice", {}).get("type", "function") != "function":
        raise Refused(400, "tool_choice.type: function is the only one", code="invalid_input_argument")
    if body.get("reasoning_effort", "low") not in ("low", "medium", "high"):
        raise Refused(400, "reasoning_effort: low, medium or high", code="invalid_input_argument")
    for name in NOT_IN_MESSAGES:
        if has(body, name):
            raise Refused(400, f"{name}: unknown", code="json_validation_error")
    for text in body.get("inputs", ()):
        if not isinstance(text, dict if path.endswith("rerank") else str):
            raise Refused(400, "inputs: wrong type", code="json_type_error")


def error(refused: Refused) -> Any:
    code = {401: "authentication_token_not_valid", 404: "model_not_supported"}.get(refused.status)
    about = "https://cloud.ibm.com/apidocs/watsonx-ai"
    one = {"code": refused.code or code or "invalid_input_argument", "message": refused.message, "more_info": about}
    return {"errors": [one], "trace": "4d6b0f0e", "status_code": refused.status}


class Watsonx(Upstream):
    """Also IAM, and what a cluster has in its place. issued: the tokens that are accepted; lives_s: how long the next
    one lives; exchanged: each request for a token; keys, users: those that get one.
    """

    def begin_anew(self) -> None:
        super().begin_anew()
        self.issued: set[str] = {TOKEN}
        self.exchanged: list[dict[str, str]] = []
        self.users: dict[str, str] = {USER: PASSWORD}
        self.keys: set[str] = {KEY}
        self.lives_s = 3600.0

    def allows(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme == "ZenApiKey":
            return given == b64encode(f"{USER}:{KEY}".encode()).decode()
        return scheme == "Bearer" and given in self.issued

    def knows(self, body: dict[str, Any]) -> bool:
        return body.get("model_id") in self.models

    def listed(self) -> Any:
        specs = [
            {
                "model_id": name,
                "label": name,
                "functions": [{"id": function} for function in FUNCTIONS.get(name, ["rerank"])],
                "model_limits": LIMITS.get(name, {"max_sequence_length": 512}),
                "lifecycle": [
                    {"id": "available", "start_date": "2024-12-06"},
                    {"id": "withdrawn", "start_date": "2199-01-01"},
                ],
            }
            for name in self.models
        ]
        others = [
            {"model_id": "ibm/granite-ttm-512-96-r2", "functions": [{"id": "time_series_forecast"}]},
            {
                "model_id": "meta-llama/llama-2-13b-chat",
                "functions": [{"id": "text_chat"}],
                "lifecycle": [{"id": "withdrawn", "start_date": "2025-03-01"}],
            },
        ]
        return {"total_count": len(specs) + 2, "limit": 200, "resources": [*specs, *others]}

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        if request.method == "POST" and request.path in ("/identity/token", "/icp4d-api/v1/authorize"):
            return self._token(raw, of_iam=request.path == "/identity/token")
        if not self.allows(request):
            raise Refused(401, "Failed to authenticate the request due to invalid token")
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", request.query.get("version", "")):
            raise Refused(400, "Missing query parameter: version", code="invalid_request")
        if (request.method, request.path) == ("GET", "/ml/v1/foundation_model_specs"):
            return web.json_response(self.listed())
        if request.method != "POST" or request.path not in FIELDS:
            raise Refused(404, "There is nothing here")
        body = json.loads(raw)
        check(request.path, body)
        if not self.knows(body):
            raise Refused(404, f"Model '{body.get('model_id')}' is not supported for this environment.")
        if request.path.endswith(("chat", "chat_stream")):
            return await self._chat(request, body)
        return web.json_response(self._embedded(body) if request.path.endswith("embeddings") else self._ranked(body))

    def _token(self, raw: bytes, *, of_iam: bool) -> web.Response:
        form: dict[str, str] = dict(parse_qsl(raw.decode())) if of_iam else json.loads(raw)
        self.exchanged.append(form)
        if of_iam and form.get("grant_type") != "urn:ibm:params:oauth:grant-type:apikey":
            return web.json_response({"errorCode": "BXNIM0109E", "errorMessage": "grant_type is wrong."}, status=400)
        if of_iam and form.get("apikey") not in self.keys:
            told = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
            return web.json_response(told, status=400)
        is_user = form.get("api_key") in self.keys or form.get("password") == self.users.get(form.get("username", ""))
        if not of_iam and (form.get("username") not in self.users or not is_user):
            return web.json_response({"_messageCode_": "401", "message": "Failed to authenticate user"}, status=401)
        token = jwt(f"{form.get('apikey') or form.get('username')}#{len(self.exchanged)}", lives_s=self.lives_s)
        self.issued.add(token)
        if not of_iam:
            return web.json_response({"_messageCode_": "200", "message": "Success", "token": token})
        lives = {"expires_in": self.lives_s, "expiration": int(wall_time() + self.lives_s)}
        return web.json_response({"access_token": token, "token_type": "Bearer", "scope": "ibm openid", **lives})

    async def _chat(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        choice = {"tool_choice": body["tool_choice_option"]} if "tool_choice_option" in body else {}
        made = chat({**body, **choice, "model": body["model_id"]}, self.habits)
        ours = {"model_id": body["model_id"], "created_at": "2026-11-02T10:00:00.000Z", "model_version": "2.0.0"}
        if request.path.endswith("chat"):
            told = {name: value for name, value in made.whole.items() if name not in ("object", "system_fingerprint")}
            return web.json_response({**told, **ours, "system": {"warnings": []}})
        answer = await started_stream(request)
        last = {**made.head, "choices": [], "usage": made.whole["usage"]}
        for place, event in enumerate([*made.events, last], start=1):
            if place == 2 and not self.gate.is_set():
                self.waiting_at_gate.set()
                await self.gate.wait()
            told = {name: value for name, value in {**event, **ours}.items() if name not in ("object", "model")}
            await answer.write(f"id: {place}\nevent: message\ndata: {json.dumps(told)}\n\n".encode())
        await answer.write_eof()
        return answer

    def _embedded(self, body: dict[str, Any]) -> dict[str, Any]:
        results = [{"embedding": vector_of(text)} for text in body["inputs"]]
        read = sum(len(text) for text in body["inputs"])
        return {"model_id": body["model_id"], "results": results, "input_token_count": read}

    def _ranked(self, body: dict[str, Any]) -> dict[str, Any]:
        scores = scores_of(body["query"], [one["text"] for one in body["inputs"]])
        most = body.get("parameters", {}).get("return_options", {}).get("top_n", len(scores))
        order = sorted(range(len(scores)), key=lambda index: -scores[index])[:most]
        results = [{"index": index, "score": scores[index]} for index in order]
        return {"model_id": body["model_id"], "results": results, "input_token_count": 9}


VENDOR = Vendor(
    make=partial(Watsonx, Habits(root="", models_path="/ml/v1/foundation_model_specs", check=check, error=error)),
    has=(OPENAI | {"rerank"}) - {"completions"},
    config={"project_id": PROJECT},
    key=KEY,
    addresses=("iam_url",),
    token=TOKEN,
)
