"""Asks a model of Google's in Gemini's form, for a request in OpenAI's."""

from __future__ import annotations

from collections.abc import Callable

from runtime.apis.inference.counting import TokenCount
from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.apis.inference.sense import making_sense
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing
from runtime.providers.inference._gemini.answers import completion_of
from runtime.providers.inference._gemini.requests import request_of
from runtime.providers.inference._gemini.streams import Chunks, Finished, as_event
from runtime.providers.inference._openai_compatible.streams import one_read
from runtime.sse import EventStream, Json, Reply

Outgoes = Callable[[str, Json], Outgoing]
"""A request to a method of the model's, such as `generateContent`, with this body."""

_WHOLE, _STREAMED = "generateContent", "streamGenerateContent?alt=sse"


async def generated(
    http: HttpClient, outgoes: Outgoes, request: ChatCompletionRequest, body: Json, provider_id: str
) -> Reply | EventStream:
    """body: the request's fields, of which those are left out that have no effect. Raises RequestError for what Gemini
    cannot do, and what `http` raises.
    """
    made = request_of(body, provider_id)
    if request.stream and (request.n or 1) == 1:
        stream = await http.stream(outgoes(_STREAMED, made), ending=Finished(), whole=as_event)
        return stream.through(Chunks(request.model, provider_id, wants_usage=request.wants_usage))
    # Several candidates are not streamed: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
    answer = (await http.reply(outgoes(_WHOLE, made))).value()
    completion = completion_of(answer, request.model, provider_id)
    if not request.stream:
        return Reply.of(completion)
    return one_read(completion, with_usage=request.wants_usage)


async def counted(http: HttpClient, outgoing: Outgoing, provider_id: str) -> TokenCount:
    """outgoing: a request of `countTokens`. https://ai.google.dev/api/tokens (read November 2026)"""
    answer = (await http.reply(outgoing, member="totalTokens")).value()
    with making_sense(provider_id):
        return TokenCount(tokens=int(answer["totalTokens"]))
