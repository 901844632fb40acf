"""Asks an embedding model on Bedrock for a request of OpenAI's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from runtime.apis.inference.protocol import EmbeddingsRequest
from runtime.apis.inference.sense import making_sense
from runtime.concurrently import concurrently
from runtime.context import warn
from runtime.errors import NotSupported, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.transport import json_request
from runtime.providers.inference._openai_compatible import embeddings
from runtime.providers.inference._openai_compatible.outgoing_fields import given_fields, refusal
from runtime.providers.inference._vectors import batches_of, listed
from runtime.providers.inference.bedrock.embeddings import COUNT, form_of
from runtime.sse import Json, Reply, decode

_CALLS_AT_ONCE = 8
_OURS = ("model", "input", "encoding_format", "dimensions", "user")


async def embedded(http: HttpClient, url: str, base: str, request: EmbeddingsRequest, *, provider_id: str) -> Reply:
    """Vectors in the requested encoding. url: of InvokeModel. base: the model's id. Raises RequestError for what the
    model does not take, NotSupported for a model with an unknown form, UpstreamError for what is no vector.
    """
    form = form_of(base)
    if form is None:
        known = "Titan's, Nova's and Cohere's"
        raise NotSupported(f"Provider `{provider_id}` has no embeddings of `{base}`: it knows {known}")
    if embeddings.has_ids(request.input):
        raise refusal("input", provider_id, "takes texts, not token ids")
    if request.dimensions is not None and not form.sizes:
        raise refusal("dimensions", provider_id, "has vectors of one length with this model")
    more = {name: value for name, value in given_fields(request).items() if name not in _OURS}

    async def asked(some: Sequence[str]) -> tuple[list[Any], int | None]:
        exchange = await http.send(json_request(url, form.body(some, request.dimensions, dict(more))))
        try:
            body = await exchange.read()
        finally:
            await exchange.close()
        with making_sense(provider_id):
            answer = decode(body)
            return form.vectors(answer), _tokens(answer, exchange.headers.get(COUNT))

    answers = await concurrently(asked, batches_of(request, form.texts), at_once=_CALLS_AT_ONCE)
    counts = [count for _, count in answers if count is not None]
    if len(counts) < len(answers):
        warn(f"`usage` is 0: `{provider_id}` did not count the tokens")
    read = sum(counts) if len(counts) == len(answers) else 0
    vectors = [vector for found, _ in answers for vector in found]
    return await asyncio.to_thread(partial(_reply, request, vectors, read, provider_id))


def _tokens(answer: Json, header: str | None) -> int | None:
    if header is not None and header.isascii() and header.isdecimal():
        return int(header)
    said = answer.get("inputTextTokenCount")
    return said if isinstance(said, int) else None


def _reply(request: EmbeddingsRequest, vectors: Sequence[Any], read: int, provider_id: str) -> Reply:
    reply = listed(request.model, vectors, [read])
    as_base64 = request.encoding_format == "base64"
    try:
        return embeddings.encoded(reply, count=embeddings.asked_for(request.input), as_base64=as_base64)
    except embeddings.NotNumbers as error:
        raise UpstreamError(f"`{provider_id}` answered {error}", provider_id=provider_id) from error
