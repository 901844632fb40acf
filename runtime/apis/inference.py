"""Chat completions, completions and embeddings.

The models are OpenAI's, https://platform.openai.com/docs/api-reference/chat; a field that is not named here travels
through to whoever understands it. Messages and answers stay plain dicts: they are looked into only by whoever needs to.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol, Required

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis._api import Api, route
from runtime.apis._names import ResourceId
from runtime.apis._request import ExtensibleRequest, Response
from runtime.sse import EventStream, Reply

_AT_ONCE = Field(fail_fast=True)
"""On a list: the first wrong item ends the look at it. A body has room for more wrong items than there is memory for
what is wrong with each.
"""

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class ContentPart(TypedDict, total=False):
    """One part of a message: `{"type": "text", "text": ...}`, an image, audio, a file."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[str]


class ChatMessage(TypedDict, total=False):
    """One message of a conversation; tool calls, names and a vendor's own fields ride along."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    role: Required[Role]
    content: str | Annotated[list[ContentPart], _AT_ONCE] | None


class StreamOptions(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    include_usage: bool


class _Sampling(ExtensibleRequest):
    model: ResourceId = Field(
        min_length=1, description="Which model answers: `provider_id/provider_model_id` or an alias."
    )
    stream: bool | None = Field(None, description="Send the answer as server-sent events while it is made.")
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, ge=1, le=128, description="How many answers to make. Default 1.")
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="0 takes the likeliest token each time. Default 1, or what the model's makers advise.",
    )
    top_p: float | None = Field(
        None, gt=0, le=1, description="Choose among the likeliest tokens with this share. Default 1."
    )
    max_tokens: int | None = Field(None, ge=0, description="Stop after this many tokens.")
    stop: str | Annotated[list[str], _AT_ONCE] | None = Field(
        None, description="Up to 4 strings at which to stop; they are not part of the answer."
    )
    seed: int | None = Field(
        None,
        ge=-(2**63),
        lt=2**63,
        description="The same seed and request give the same answer where the provider can.",
    )
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = Field(None, description="Token id -> -100..100, added to its logit.")
    user: str | None = None


class ChatCompletionRequest(_Sampling):
    """A conversation to continue."""

    messages: list[ChatMessage] = Field(min_length=1, fail_fast=True)
    max_completion_tokens: int | None = Field(None, ge=0, description="As max_tokens; wins over it.")
    logprobs: bool | None = Field(None, description="Return the log-probability of each token.")
    top_logprobs: int | None = Field(None, ge=0, le=20, description="And of this many likely alternatives.")
    tools: Annotated[list[dict[str, Any]], _AT_ONCE] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None


MAX_INPUTS = 2048
"""Texts that one request may bring, as at OpenAI; each is worked on at once and kept until the last is done."""

_Ids = Annotated[list[int], _AT_ONCE]
_Inputs = str | Annotated[list[str], _AT_ONCE] | _Ids | Annotated[list[_Ids], _AT_ONCE]


def _bounded(given: _Inputs) -> _Inputs:
    if isinstance(given, list) and len(given) > MAX_INPUTS and not isinstance(given[0], int):
        raise PydanticCustomError("too_many_inputs", f"{len(given)} texts, and at most {MAX_INPUTS} in one request")
    return given


Inputs = Annotated[_Inputs, AfterValidator(_bounded)]
"""One text or several, as text or as token ids."""


class CompletionRequest(_Sampling):
    """A text to continue: one, several, or token ids."""

    prompt: Inputs
    suffix: str | None = None
    echo: bool | None = Field(None, description="Put the prompt before the answer.")
    logprobs: int | None = Field(
        None, ge=0, le=20, description="Log-probabilities of this many likely tokens at each place."
    )
    best_of: int | None = Field(None, ge=1, le=20)


class EmbeddingsRequest(ExtensibleRequest):
    """Texts (or token ids) to turn into vectors."""

    model: ResourceId = Field(
        min_length=1, description="Which embedding model: `provider_id/provider_model_id` or an alias."
    )
    input: Inputs
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="base64: little-endian float32. Default float."
    )
    dimensions: int | None = Field(None, ge=1, description="A shorter vector, where the model is made for it.")
    user: str | None = None


class Usage(Response):
    """Tokens read and written."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class ChatChoice(Response):
    index: int
    message: dict[str, Any]
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class ChatCompletion(Response):
    """A whole chat answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage | None = None


class ChatChunkChoice(Response):
    index: int
    delta: dict[str, Any]
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class ChatCompletionChunk(Response):
    """One event of a streamed chat answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: Usage | None = None


class CompletionChoice(Response):
    index: int
    text: str
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class Completion(Response):
    """A whole text completion, or one event of a streamed one."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None


class Embedding(Response):
    index: int
    object: Literal["embedding"] = "embedding"
    embedding: list[float] | str


class EmbeddingsResponse(Response):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class Inference(Protocol):
    """Every method answers with a `Reply`, or with Frames while `stream` is set; errors before the first byte are
    raised.
    """

    @route(
        "POST",
        "/v1/chat/completions",
        aliases=("/v1/openai/v1/chat/completions",),
        key="model",
        returns=ChatCompletion,
        streams=ChatCompletionChunk,
        ends_with_done=True,
    )
    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        """Continue a conversation. 404 for an unknown model, 400 for a prompt longer than its context."""
        ...

    @route(
        "POST",
        "/v1/completions",
        aliases=("/v1/openai/v1/completions",),
        key="model",
        returns=Completion,
        streams=Completion,
        ends_with_done=True,
    )
    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        """Continue a text. 404 for an unknown model, 400 for a prompt longer than its context."""
        ...

    @route("POST", "/v1/embeddings", aliases=("/v1/openai/v1/embeddings",), key="model", returns=EmbeddingsResponse)
    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        """Turn texts into vectors. 404 for an unknown model, 400 for a model that makes none."""
        ...


API = Api("inference", Inference)
