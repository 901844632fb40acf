"""The answers of a chat completion, whole or in chunks. https://platform.openai.com/docs/api-reference/chat/object"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._request import Response
from runtime.apis.inference._shared import (
    OLDER,
    GeneratedAnswer,
    GeneratedChoice,
)
from runtime.apis.inference.messages import ToolCall


class TopLogprob(Response):
    """A token that could have stood in a place."""

    token: str = Field(description="The token's text.")
    logprob: float = Field(description="Its log-probability (natural); -9999 for an impossible one.")
    bytes: list[int] | None = Field(None, description="Its UTF-8 bytes; null if it has none.")


class TokenLogprob(TopLogprob):
    """A token of the answer."""

    top_logprobs: list[TopLogprob] = Field(description="The likeliest tokens in its place, as many as asked for.")


class ChoiceLogprobs(Response):
    """Log-probabilities of an answer's tokens."""

    content: list[TokenLogprob] | None = Field(None, description="Of the text's tokens.")
    refusal: list[TokenLogprob] | None = Field(None, description="Of a refusal's tokens.")


class UrlCitation(Response):
    """A page that the answer cites."""

    start_index: int = Field(description="Where the citation begins in the text, in characters.")
    end_index: int = Field(description="Where it ends.")
    url: str = Field(description="The page's address.")
    title: str = Field(description="Its title.")


class Annotation(Response):
    """A remark about a place in the text."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation = Field(description="The citation.")


class AudioAnswer(Response):
    """A spoken answer."""

    id: str = Field(description="To refer to it in a later message.")
    expires_at: int = Field(description="Until when it can be referred to, in seconds since 1970.")
    data: str = Field(description="The audio as base64.")
    transcript: str = Field(description="What is said.")


class FunctionCalled(Response):
    """A function and what it is called with."""

    name: str | None = Field(None, description="The function's name; in a stream only in the call's first part.")
    arguments: str | None = Field(None, description="A JSON object, as text; in a stream the part that is new.")


class AnswerMessage(Response):
    """What the model says."""

    role: Literal["assistant"] = "assistant"
    content: str | None = Field(None, description="The text; null where the model only calls tools.")
    refusal: str | None = Field(None, description="Why it refuses, where it does.")
    reasoning_content: str | None = Field(
        None, description="What it thought before, where the provider says; whichever name the provider has for it."
    )
    tool_calls: list[ToolCall] | None = Field(None, description="The tools that it calls.")
    function_call: FunctionCalled | None = Field(
        None, json_schema_extra=OLDER, description="The older form of `tool_calls`, where the request had `functions`."
    )
    annotations: list[Annotation] | None = Field(None, description="What the text cites.")
    audio: AudioAnswer | None = Field(None, description="The spoken answer, where one was asked for.")


class ChatChoice(GeneratedChoice):
    """One answer."""

    message: AnswerMessage = Field(description="The model's message.")
    logprobs: ChoiceLogprobs | None = Field(None, description="Log-probabilities; null unless asked for.")


class ChatAnswer(GeneratedAnswer):
    """What a chat answer has beyond that."""

    service_tier: str | None = Field(None, description="The tier that served the request, if the provider has tiers.")


class ChatCompletion(ChatAnswer):
    """A whole chat answer."""

    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatChoice] = Field(description="The answers; `n` of them.")


class ToolCallPart(Response):
    """The next part of a tool call."""

    index: int = Field(description="Which of the answer's calls this is, from 0.")
    id: str | None = Field(None, description="The call's id, in its first part.")
    type: str | None = Field(None, description="`function`, in its first part.")
    function: FunctionCalled | None = Field(None, description="The name, then the arguments piece by piece.")


class MessagePart(Response):
    """What is added to a message."""

    role: str | None = Field(None, description="`assistant`, in the first part.")
    content: str | None = Field(None, description="The text that is new.")
    refusal: str | None = Field(None, description="The part of a refusal that is new.")
    reasoning_content: str | None = Field(None, description="The part of its thinking that is new.")
    tool_calls: list[ToolCallPart] | None = Field(None, description="The parts of tool calls that are new.")
    function_call: FunctionCalled | None = Field(
        None, json_schema_extra=OLDER, description="The older form of `tool_calls`, where the request had `functions`."
    )


class ChatChunkChoice(GeneratedChoice):
    """The next part of one answer."""

    delta: MessagePart = Field(description="What is added to the message.")
    logprobs: ChoiceLogprobs | None = Field(None, description="Of the tokens that are new; null unless asked for.")


class ChatCompletionChunk(ChatAnswer):
    """One event of a streamed chat answer."""

    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    choices: list[ChatChunkChoice] = Field(description="The parts that are new; empty in the chunk of token counts.")
