"""Chat, embeddings and reranking at Bedrock: decides by which of its doors a request goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from runtime.apis.inference.protocol import ChatCompletionRequest, EmbeddingsRequest, RerankRequest
from runtime.apis.providers.protocol import ProviderHealth
from runtime.context import warn
from runtime.errors import StackError, UpstreamError, UpstreamRejected
from runtime.http.keys import ProviderKeys
from runtime.http.timeouts import Timeouts
from runtime.http.transport import json_request
from runtime.provider import ListedModel, ProviderContext, healthy, unhealthy
from runtime.providers._vendors.aws.addresses import address_of
from runtime.providers._vendors.aws.auth import AwsSignature, KeyOrSignature
from runtime.providers._vendors.aws.identity import AwsIdentity
from runtime.providers.inference._openai_compatible.outgoing_fields import given_fields, refusal
from runtime.providers.inference._openai_compatible.reranking import NotARanking, answer_of, in_path
from runtime.providers.inference._openai_compatible.streams import one_read
from runtime.providers.inference._ranking import texts_of
from runtime.providers.inference._readable import check_readable
from runtime.providers.inference.bedrock import reranking
from runtime.providers.inference.bedrock.answers import completion_of
from runtime.providers.inference.bedrock.chunks import Chunks
from runtime.providers.inference.bedrock.config import BedrockConfig
from runtime.providers.inference.bedrock.embedding import embedded
from runtime.providers.inference.bedrock.families import Family, family_of
from runtime.providers.inference.bedrock.listing import BedrockModels
from runtime.providers.inference.bedrock.openai_form import OpenAIForm
from runtime.providers.inference.bedrock.requests import converse_body
from runtime.providers.inference.bedrock.streams import converse_stream
from runtime.sse import EventStream, Json, Reply

_LIMITS = Timeouts(connect_s=10.0, first_byte_s=600.0, read_s=300.0)
_USUAL_REGION = "us-east-2"
"""As with llama-stack, where nothing says another."""
_KEYS = ("aws_bearer_token_bedrock", "aws_bedrock_bearer_token")
_NOT_STREAMED = re.compile(r"stream", re.IGNORECASE)
"""In Bedrock's words for a model that it cannot stream, or not together with tools."""


class BedrockInference:
    """Models by the names of Bedrock, its inference profiles, or their ARNs.

    Raises RequestError (400) for what a model or Bedrock cannot honour, Unavailable (503) without credentials, and what
    `HttpClient` raises.
    """

    def __init__(self, config: BedrockConfig, context: ProviderContext) -> None:
        self._provider_id = context.provider_id
        self._config = config
        self._identity = AwsIdentity(config, context.http, provider_id=context.provider_id, usual_region=_USUAL_REGION)
        self._keys = _keys_of(config, context, self._identity.env)
        service = "bedrock-mantle" if config.protocol == "mantle" else "bedrock"
        auth = KeyOrSignature(self._keys, self._identity, service)
        self._http = context.http.with_auth(auth, address=config.endpoint_url or "", timeouts=_LIMITS)
        self._signing = context.http.with_auth(AwsSignature(self._identity, "bedrock"), timeouts=_LIMITS)
        self._openai = OpenAIForm(context.provider_id)
        self._models = BedrockModels(
            config,
            self._http,
            place=self._mantle if config.protocol == "mantle" else partial(self._place, "bedrock"),
            has_credentials=self._check_credentials,
            provider_id=context.provider_id,
        )
        self._not_streamed: set[str] = set()

    async def list_models(self) -> list[ListedModel]:
        return await self._models.list_models()

    async def check_health(self) -> ProviderHealth:
        """Whether somebody calls, and where; Bedrock is not asked, which would cost money."""
        try:
            await self._check_credentials()
        except StackError as error:
            return unhealthy(error.words, state="needs-key")
        return healthy()

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        known = self._models.known
        family = family_of(known.base(request.model))
        protocol = family.protocol if self._config.protocol == "auto" else self._config.protocol
        body = given_fields(request, opaque=("messages",) if protocol != "converse" else ())
        if self._config.max_tokens is not None and not {"max_tokens", "max_completion_tokens"} & body.keys():
            body["max_tokens"] = self._config.max_tokens
            warn(f"`max_tokens` was not given: {body['max_tokens']} is this server's setting for `{self._provider_id}`")
        if protocol == "converse":
            return await self._converse(request, body, family)
        host = await self._mantle() if protocol == "mantle" else f"{await self._runtime()}/openai/v1"
        return await self._openai.chat(self._http, host, request, body)

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        base = self._models.known.base(request.model)
        url = f"{await self._url(request.model)}/invoke"
        return await embedded(self._http, url, base, request, provider_id=self._provider_id)

    async def rerank(self, request: RerankRequest) -> Reply:
        """By Bedrock's agents, which take no key; with one, the model is asked itself. Raises UpstreamError for an
        answer that is no ranking.
        """
        documents, base = texts_of(request), self._models.known.base(request.model)
        if request.max_tokens_per_doc is not None:
            raise refusal("max_tokens_per_doc", self._provider_id, "cannot be told how much of a document to read")
        if len(documents) > reranking.MOST_DOCUMENTS:
            most = reranking.MOST_DOCUMENTS
            raise refusal("documents", self._provider_id, f"takes {most} documents at most")
        if self._keys.get() is None:
            region = await self._identity.region()
            arn = request.model if request.model.startswith("arn:") else _arn(base, region)
            body = reranking.agents_body(request.query, documents, top_n=request.top_n, arn=arn)
            url = f"{await self._place('bedrock-agent-runtime')}/rerank"
            http, facts = self._signing, reranking.BY_AGENTS
        else:
            body = reranking.model_body(request.query, documents, top_n=request.top_n, base=base)
            url = f"{await self._url(request.model)}/invoke"
            http, facts = self._http, reranking.BY_MODEL
        try:
            return Reply.of(answer_of(facts, request, await http.value(json_request(url, body))))
        except NotARanking as error:
            raise UpstreamError(f"`{self._provider_id}` answered {error}", provider_id=self._provider_id) from error

    async def _converse(self, request: ChatCompletionRequest, body: Json, family: Family) -> Reply | EventStream:
        made = converse_body(body, family, provider_id=self._provider_id)
        check_readable(made, allowed=self._config.readable_addresses, keys=self._keys)
        url = await self._url(request.model)
        has_tools = "toolConfig" in made
        known_as, is_refused = f"{request.model} with tools" if has_tools else request.model, False
        if request.stream and (family.streams_tools or not has_tools) and known_as not in self._not_streamed:
            chunks = Chunks(request.model, self._provider_id, wants_usage=request.wants_usage)
            try:
                return await converse_stream(self._http, json_request(f"{url}/converse-stream", made), chunks)
            except UpstreamRejected as error:
                if error.upstream_status != 400 or not _NOT_STREAMED.search(error.message):
                    raise
                is_refused = True
        answer = await self._http.reply(json_request(f"{url}/converse", made), member="output")
        if is_refused:  # it was the stream, and nothing else in the request
            self._not_streamed.add(known_as)
        completion = completion_of(answer.value(), request.model, self._provider_id)
        return one_read(completion, with_usage=request.wants_usage) if request.stream else Reply.of(completion)

    async def _url(self, model: str) -> str:
        """Of a model, at its runtime."""
        return f"{await self._runtime()}/model/{in_path(self._models.known.asked_as.get(model, model), safe='')}"

    async def _runtime(self) -> str:
        return (self._config.endpoint_url or await self._place("bedrock-runtime")).rstrip("/")

    async def _mantle(self) -> str:
        """https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html"""
        env, region = self._identity.env, await self._identity.region()
        named = self._config.endpoint_url or env.get("AWS_ENDPOINT_URL_BEDROCK_MANTLE") or env.get("AWS_ENDPOINT_URL")
        return f"{(named or f'https://bedrock-mantle.{region}.api.aws').rstrip('/')}/v1"

    async def _place(self, service: str) -> str:
        return address_of(service, await self._identity.region(), self._identity.env)

    async def _check_credentials(self) -> None:
        if self._keys.configured() is None:
            await self._identity.credentials()
        await self._identity.region()


def _keys_of(config: BedrockConfig, context: ProviderContext, env: Mapping[str, str]) -> ProviderKeys:
    in_process = "" if config.says_who_calls else env.get("AWS_BEARER_TOKEN_BEDROCK", "")
    own = f"{context.provider_id.replace('-', '_')}_api_key"
    return ProviderKeys(
        context.provider_id,
        (*_KEYS, own),
        configured=context.configured_key or in_process,
        hint="set `AWS_BEARER_TOKEN_BEDROCK`, or `api_key` in its config",
    )


def _arn(base: str, region: str) -> str:
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    return f"arn:{partition}:bedrock:{region}::foundation-model/{base}"
