"""https://docs.oracle.com/en-us/iaas/Content/generative-ai/chat-completions-api.htm and
https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai-inference/20231130/, read November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.texts import scores_of, vector_of
from tests.conformance.inference.vendor import Vendor
from tests.support import oci

KEY = "sk-of-generative-ai"
CAPABILITIES = {CHAT_MODEL: ["CHAT", "IMAGE_TEXT_TO_TEXT"], EMBEDDING_MODEL: ["TEXT_EMBEDDINGS"]}
EMBEDDING_FIELDS = {
    *("inputs", "servingMode", "compartmentId", "isEcho", "truncate", "inputType", "outputDimensions"),
    *("embeddingTypes", "embedContents"),
}
RANKING_FIELDS = {
    *("input", "documents", "servingMode", "compartmentId", "topN", "isEcho", "maxChunksPerDocument"),
    "maxTokensPerDocument",
}
OF_TESTS = {"vendor_field", "truncate"}


def check(path: str, body: dict[str, Any]) -> None:
    fields = {"embedText": EMBEDDING_FIELDS, "rerankText": RANKING_FIELDS}.get(path.rpartition("/")[2])
    if fields is None:
        return
    if unknown := body.keys() - fields - OF_TESTS:
        raise Refused(400, f"Unrecognized fields {sorted(unknown)}", code="InvalidParameter")
    if not body.get("compartmentId"):
        raise Refused(400, "compartmentId may not be null", code="InvalidParameter")
    mode = body["servingMode"]
    if (mode["servingType"] == "ON_DEMAND") != ("modelId" in mode) or ("endpointId" in mode) == ("modelId" in mode):
        raise Refused(400, "servingMode is wrong", code="InvalidParameter")


def error(refused: Refused) -> Any:
    code = {401: "NotAuthenticated", 404: "NotAuthorizedOrNotFound", 429: "TooManyRequests"}.get(refused.status)
    return {"code": refused.code or code or "InvalidParameter", "message": refused.message}


class Oci(Upstream):
    """Inference, and management under the same address. keys: those that may sign, by their ids."""

    def begin_anew(self) -> None:
        super().begin_anew()
        self.keys: dict[str, RSAPublicKey] = {oci.KEY_ID: oci.key().public_key()}

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": super().endpoints()["/chat/completions"]}

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        self._authenticate(request, raw)
        if (request.method, request.path) == ("GET", "/20231130/models"):
            if not request.query.get("compartmentId"):
                raise Refused(400, "compartmentId is missing", code="MissingParameter")
            return web.json_response(self.listed())
        own = {"/20231130/actions/embedText": self._embedded, "/20231130/actions/rerankText": self._ranked}
        if request.method == "POST" and request.path in own:
            body = json.loads(raw)
            check(request.path, body)
            mode = body["servingMode"]
            if "modelId" in mode and mode["modelId"] not in self.models:
                raise Refused(404, f"Entity with key {mode.get('modelId')} not found")
            return web.json_response(own[request.path](body))
        return await super()._answer(request, raw)

    def allows(self, request: web.Request) -> bool:
        return True  # it was authenticated with its body

    def _authenticate(self, request: web.Request, raw: bytes) -> None:
        if request.headers.get("authorization") == f"Bearer {KEY}":
            return
        headers = {name.lower(): value for name, value in request.headers.items()}
        why = oci.refused(self.keys, request.method, request.path_qs, headers, raw, host=True)
        if why is not None:
            raise Refused(401, f"The required information to complete authentication was not provided: {why}")
        if request.path.endswith("/chat/completions") and "opc-compartment-id" not in headers:
            raise Refused(400, "Missing opc-compartment-id", code="MissingParameter")

    def listed(self) -> Any:
        items = [
            {
                "id": f"ocid1.generativeaimodel.oc1..{name}",
                "displayName": name,
                "vendor": "meta",
                "version": "1.0",
                "type": "BASE",
                "capabilities": CAPABILITIES.get(name, ["TEXT_RERANK"]),
                "lifecycleState": "ACTIVE",
            }
            for name in self.models
        ]
        others = [
            {"displayName": "meta.llama-3-70b-instruct", "capabilities": ["CHAT", "FINE_TUNE"], "type": "BASE"},
            {"displayName": "mine", "capabilities": ["CHAT"], "type": "CUSTOM"},
            {
                "displayName": "cohere.command-r-16k", "capabilities": ["CHAT"], "type": "BASE",
                "timeOnDemandRetired": "2025-01-16T00:00:00.000Z",
            },
        ]  # fmt: skip
        return {"items": [*items, *others, *items[:1]]}

    def _embedded(self, body: dict[str, Any]) -> dict[str, Any]:
        if len(body["inputs"]) > 96:
            raise Refused(400, "inputs: at most 96", code="InvalidParameter")
        read = sum(len(text) for text in body["inputs"])
        return {
            "id": "e-1", "modelId": body["servingMode"].get("modelId"), "modelVersion": "1.0",
            "embeddings": [vector_of(text) for text in body["inputs"]],
            "usage": {"promptTokens": read, "completionTokens": 0, "totalTokens": read},
        }  # fmt: skip

    def _ranked(self, body: dict[str, Any]) -> dict[str, Any]:
        scores = scores_of(body["input"], body["documents"])
        order = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.get("topN", len(scores))]
        return {"id": "r-1", "documentRanks": [{"index": index, "relevanceScore": scores[index]} for index in order]}


VENDOR = Vendor(
    make=partial(Oci, Habits(root="/20231130/actions/v1", models_path="/20231130/models", check=check, error=error)),
    has=(OPENAI | {"rerank"}) - {"completions"},
    config={
        "api_key": None,
        "oci_auth_type": "config_file",
        "oci_config_file_path": str(oci.config_file()),
        "oci_compartment_id": oci.COMPARTMENT,
    },
    key=KEY,
)
