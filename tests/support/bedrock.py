"""Bedrock at wire level: its control plane, Converse with event streams, InvokeModel, Rerank and OpenAI's protocol.

Checks keys and signatures and refuses what the documentation does not have; what it says is made from the request
alone.
https://docs.aws.amazon.com/bedrock/latest/APIReference/welcome.html (read November 2026)
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from runtime.conformance.upstream import Answer, Habits, Refused, Upstream
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.texts import scores_of, vector_of
from tests.support.aws import AwsServer, aws_error
from tests.support.bedrock_form import check_form, events_of, openai_of, whole_of

CLAUDE, OLD_CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"
NEWER_CLAUDE = "anthropic.claude-opus-4-6-v1"
LLAMA, SMALL_LLAMA = "meta.llama3-3-70b-instruct-v1:0", "meta.llama3-2-1b-instruct-v1:0"
TITAN_TEXT, UNKNOWN = "amazon.titan-text-express-v1", "acme.parrot-v1:0"
GPT = "openai.gpt-oss-20b-1:0"
EMBEDDERS = (
    "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v1", "amazon.titan-embed-image-v1",
    "cohere.embed-english-v3", "cohere.embed-v4:0", "amazon.nova-2-multimodal-embeddings-v1:0",
)  # fmt: skip
RERANKERS = ("cohere.rerank-v3-5:0", "amazon.rerank-v1:0")
PICTURES = "amazon.nova-canvas-v1:0"
ACCOUNT = "123456789012"
REGION = "eu-west-1"
OF_ACCOUNT = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:application-inference-profile/abc123def456"
_CHOICES = {
    CLAUDE: {"auto", "any", "tool"}, OLD_CLAUDE: {"auto", "any", "tool"}, LLAMA: {"auto"},
    UNKNOWN: {"auto", "any", "tool"}, GPT: {"auto", "any"},
}  # fmt: skip
_BY_PROFILE = (CLAUDE, LLAMA)
_CACHED_TOKENS = 2


class Bedrock(Upstream):
    """key: one that is accepted as bearer, beside signatures with the key of `tests.support.aws`. lists: whether
    callers may list models. broken: replaces the events of a stream, as messages. streams_tools: of unknown models. The
    address has no version.
    """

    def __init__(self) -> None:
        super().__init__(Habits(root=""))
        self.aws = AwsServer(region=REGION)
        self.lists = True
        self.broken: list[bytes] | None = None
        self.refusal: str | None = None
        """Words of a refusal, whatever is asked."""
        self.streams_tools = True

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if (refused := self._refused(request, raw, path)) is not None:
            return refused
        try:
            return await self._at(request, path, json.loads(raw) if raw else {})
        except Refused as error:
            words = "Input is too long for requested model." if "context length" in error.message else error.message
            return aws_error(error.status, "ValidationException", words)

    def _refused(self, request: web.Request, raw: bytes, path: str) -> web.Response | None:
        given = request.headers.get("authorization", "")
        if self.key is not None and given == f"Bearer {self.key}" and path != "/rerank":
            return None
        if given.startswith("Bearer"):
            return aws_error(
                403, "AccessDeniedException", "Authentication failed: please make sure your API Key is valid."
            )
        return self.aws.refused(request, raw, "bedrock-mantle" if path.startswith("/v1/") else "bedrock")

    async def _at(self, request: web.Request, path: str, body: dict[str, Any]) -> web.StreamResponse:
        if request.method == "GET":
            return self._lists(request, path)
        if path == "/rerank":
            return _reranked(body)
        if path in ("/openai/v1/chat/completions", "/v1/chat/completions"):
            return await self._openai(request, body)
        _, _, model, operation = path.split("/")
        assert model == model.replace(":", "%3A").replace("/", "%2F"), "the name is one part of the path"
        base = self._base(unquote(model))
        if operation == "invoke":
            return _embedded(base, body) if base in EMBEDDERS else _reranked_by(base, body)
        return await self._converse(request, base, operation, body)

    def _base(self, name: str) -> str:
        """The model that a name stands for. Raises Refused as Bedrock does for a model that has to be asked by a
        profile.
        """
        if name == OF_ACCOUNT:
            return CLAUDE
        base = name.partition(".")[2] if name.startswith(("eu.", "global.")) else name
        if base in _BY_PROFILE and base == name:
            words = "Retry your request with the ID or ARN of an inference profile that contains this model."
            raise Refused(400, f"Invocation of model ID {name} with on-demand throughput is not supported. {words}")
        return base

    def _lists(self, request: web.Request, path: str) -> web.Response:
        if not self.lists:
            words = "User: arn:aws:iam::1:user/x is not authorized to perform: bedrock:ListFoundationModels"
            return aws_error(403, "AccessDeniedException", words)
        if path == "/v1/models":
            return web.json_response({"object": "list", "data": [{"id": "openai.gpt-oss-20b", "object": "model"}]})
        if path == "/foundation-models":
            chats = [
                (model, "TEXT")
                for model in (CLAUDE, OLD_CLAUDE, NEWER_CLAUDE, LLAMA, SMALL_LLAMA, TITAN_TEXT, UNKNOWN, GPT)
            ]
            others = [(model, "EMBEDDING") for model in EMBEDDERS] + [(model, "TEXT") for model in RERANKERS]
            found = [_summary(model, makes) for model, makes in [*chats, *others, (PICTURES, "IMAGE")]]
            return web.json_response({"modelSummaries": found})
        assert path == "/inference-profiles"
        pages = [[_profile("global", CLAUDE)], [_profile("eu", CLAUDE), _profile("eu", LLAMA)], [_own_profile()]]
        page = int(request.query.get("nextToken", "0"))
        more = {"nextToken": str(page + 1)} if page + 1 < len(pages) else {}
        return web.json_response({"inferenceProfileSummaries": pages[page], **more})

    async def _converse(
        self, request: web.Request, model: str, operation: str, body: dict[str, Any]
    ) -> web.StreamResponse:
        if self.refusal is not None:
            raise Refused(400, self.refusal)
        more: Mapping[str, Any] = body.get("additionalModelRequestFields") or {}
        thinks = "thinking" in more
        check_form(body, choices=frozenset(_CHOICES.get(model, ())), thinks=thinks)
        if "system" in body and model == TITAN_TEXT:
            raise Refused(400, "This model doesn't support system messages.")
        if "outputConfig" in body and model not in (CLAUDE, NEWER_CLAUDE):
            raise Refused(400, "This model doesn't support the outputConfig field.")
        made: Answer = chat(openai_of(body, model, thinks=thinks), self.habits)
        cached = _CACHED_TOKENS if "cachePoint" in json.dumps(body) else 0
        if operation == "converse":
            return web.json_response(whole_of(made, cached))
        assert operation == "converse-stream"
        if "toolConfig" in body and (model == LLAMA or (model == UNKNOWN and not self.streams_tools)):
            raise Refused(400, "This model doesn't support tool use in streaming mode.")
        messages = [event_message(name, event) for name, event in events_of(made, cached)]
        return await self._sent(request, messages if self.broken is None else self.broken)

    async def _sent(self, request: web.Request, messages: list[bytes]) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "application/vnd.amazon.eventstream"})
        await answer.prepare(request)
        for place, message in enumerate(messages):
            if place == 1 and not self.gate.is_set():
                self.waiting_at_gate.set()
                await self.gate.wait()
            await answer.write(message)
        await answer.write_eof()
        return answer

    async def _openai(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        try:
            answer = chat(body, self.habits)
        except Refused as refused:
            return web.json_response(self.habits.error(refused), status=refused.status)
        if not body.get("stream"):
            return web.json_response(answer.whole)
        is_asked = bool((body.get("stream_options") or {}).get("include_usage"))
        usage = [{**answer.head, "choices": [], "usage": answer.whole["usage"]}] if is_asked else []
        return await self._stream(request, [*answer.events, *usage])


def event_message(name: str, payload: Any, *, kind: str = "event") -> bytes:
    """A message of an event stream. kind: its type, `event` or `exception`."""
    headers = {":message-type": kind, f":{kind}-type": name, ":content-type": "application/json"}
    head = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in headers.items()
    )
    data = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(data), len(head))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + data
    return begun + struct.pack(">I", zlib.crc32(begun))


def _summary(model: str, makes: str) -> dict[str, Any]:
    return {
        "modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{model}",
        "modelId": model,
        "modelName": model,
        "providerName": model.partition(".")[0],
        "inputModalities": ["TEXT", "IMAGE"] if "claude" in model else ["TEXT"],
        "outputModalities": [makes],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["INFERENCE_PROFILE"] if model in _BY_PROFILE else ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }


def _profile(place: str, model: str) -> dict[str, Any]:
    name = f"{place}.{model}"
    return {
        "inferenceProfileName": name,
        "inferenceProfileArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{name}",
        "models": [{"modelArn": f"arn:aws:bedrock:{place}-x-1::foundation-model/{model}"} for place in ("a", "b")],
        "inferenceProfileId": name,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def _own_profile() -> dict[str, Any]:
    arn = {"inferenceProfileArn": OF_ACCOUNT, "inferenceProfileId": "abc123def456"}
    return {**_profile("eu", CLAUDE), **arn, "inferenceProfileName": "mine", "type": "APPLICATION"}


def _embedded(model: str, body: dict[str, Any]) -> web.Response:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html"""
    if model.startswith("cohere."):
        if body.keys() - {"texts", "input_type", "truncate", "embedding_types", "output_dimension"} or not body.get(
            "input_type"
        ):
            raise Refused(400, "Malformed input request, please reformat your input and try again.")
        if len(body["texts"]) > 96:
            raise Refused(400, "Malformed input request: #/texts: expected maximum item count: 96")
        vectors = [vector_of(text) for text in body["texts"]]
        headers = {"x-amzn-bedrock-input-token-count": str(len(" ".join(body["texts"]).split()))}
        answer = {
            "id": "1",
            "response_type": "embeddings_by_type",
            "embeddings": {"float": vectors},
            "texts": body["texts"],
        }
        return web.json_response(answer, headers=headers)
    if model.startswith("amazon.nova"):
        single = body["singleEmbeddingParams"]
        assert (body["taskType"], single["embeddingPurpose"]) == ("SINGLE_EMBEDDING", "GENERIC_INDEX")
        vector = vector_of(single["text"]["value"])
        assert single["text"]["truncationMode"] in ("START", "END", "NONE")
        return web.json_response({"embeddings": [{"embeddingType": "TEXT", "embedding": vector}]})
    known = {"inputText", "dimensions", "normalize"} if "v2" in model else {"inputText", "embeddingConfig"}
    if body.keys() - known:
        raise Refused(400, "Malformed input request, please reformat your input and try again.")
    count = len(body["inputText"].split())
    return web.json_response({"embedding": vector_of(body["inputText"]), "inputTextTokenCount": count})


def _reranked(body: dict[str, Any]) -> web.Response:
    [query] = body["queries"]
    assert (query["type"], body["rerankingConfiguration"]["type"]) == ("TEXT", "BEDROCK_RERANKING_MODEL")
    model = body["rerankingConfiguration"]["bedrockRerankingConfiguration"]
    arn = model["modelConfiguration"]["modelArn"]
    if arn not in {f"arn:aws:bedrock:{REGION}::foundation-model/{name}" for name in RERANKERS}:
        raise Refused(400, "The provided model identifier is invalid.")
    documents = [source["inlineDocumentSource"]["textDocument"]["text"] for source in body["sources"]]
    found = _ranking(query["textQuery"]["text"], documents, model.get("numberOfResults"))
    return web.json_response({"results": [{"index": index, "relevanceScore": score} for index, score in found]})


def _reranked_by(model: str, body: dict[str, Any]) -> web.Response:
    if model not in RERANKERS or ("api_version" in body) != model.startswith("cohere."):
        raise Refused(400, "The provided model identifier is invalid.")
    found = _ranking(body["query"], body["documents"], body.get("top_n"))
    return web.json_response({"results": [{"index": index, "relevance_score": score} for index, score in found]})


def _ranking(query: str, documents: list[str], most: int | None) -> list[tuple[int, float]]:
    scores = scores_of(query, documents)
    return sorted(enumerate(scores), key=lambda one: -one[1])[: most or len(documents)]
