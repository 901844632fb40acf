"""Chat completions, completions and embeddings.

The models are OpenAI's, https://platform.openai.com/docs/api-reference/chat; a field that is not named here is passed
on to the provider. Messages and answers stay plain dicts: only code that needs what is in them looks inside.
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
"""For lists: validation stops at the first wrong item. One body can hold so many that their errors would fill the
memory.
"""

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class ContentPart(TypedDict, total=False):
    """One part of a message: `{"type": "text", "text": ...}`, an image, audio, a file."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[str]


class ChatMessage(TypedDict, total=False):
    """One message of a conversation; tool calls, names and a vendor's own fields are passed on."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    role: Required[Role]
    content: str | Annotated[list[ContentPart], _AT_ONCE] | None


class StreamOptions(TypedDict, total=False):
    """include_usage: end the stream with a chunk of token counts; default false."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    include_usage: bool


class _Sampling(ExtensibleRequest):
    model: ResourceId = Field(
        min_length=1, description="The model that answers: `provider_id/provider_model_id`, or an alias."
    )
    stream: bool | None = Field(
        None, description="Send the answer as server-sent events while it is made. Default false."
    )
    stream_options: StreamOptions | None = Field(
        None, description="With `include_usage: true` a stream ends with a chunk of token counts. Default: it does not."
    )
    n: int | None = Field(None, ge=1, le=128, description="How many answers to make. Default 1.")
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="0 takes the likeliest token each time. Default: the provider's, usually 1.",
    )
    top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Choose among the likeliest tokens that have this share of the probability together. Default: the"
        " provider's, usually 1.",
    )
    max_tokens: int | None = Field(
        None,
        ge=0,
        description="The longest answer, in tokens. Default: the provider's, for a completion usually 16.",
    )
    stop: str | Annotated[list[str], _AT_ONCE] | None = Field(
        None, description="Strings at which the answer ends, usually at most 4; they are not part of it. Default: none."
    )
    seed: int | None = Field(
        None,
        ge=-(2**63),
        lt=2**63,
        description="The same seed and request give the same answer, where the provider can. Default: random.",
    )
    frequency_penalty: float | None = Field(
        None,
        ge=-2,
        le=2,
        description="Subtracted from a token's logit for each time the answer has it. Default: the provider's, usually"
        " 0.",
    )
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="Subtracted once from the logit of a token that the answer has. Default 0."
    )
    logit_bias: dict[str, float] | None = Field(
        None, description="Token id to a number from -100 to 100 that is added to its logit. Default: none."
    )
    user: str | None = Field(None, description="Your id for the end user, passed on to the provider. Default: none.")


class ChatCompletionRequest(_Sampling):
    """A conversation to continue."""

    messages: list[ChatMessage] = Field(
        min_length=1, fail_fast=True, description="The conversation so far, oldest message first."
    )
    max_completion_tokens: int | None = Field(
        None, ge=0, description="The longest answer, in tokens; takes precedence over `max_tokens`, its default."
    )
    logprobs: bool | None = Field(None, description="Return the log-probability of each token. Default false.")
    top_logprobs: int | None = Field(
        None,
        ge=0,
        le=20,
        description="With `logprobs`: how many of the likeliest tokens to return in each place. Default 0.",
    )
    tools: Annotated[list[dict[str, Any]], _AT_ONCE] | None = Field(
        None, description="Functions that the model may call, in OpenAI's format. Default: none."
    )
    tool_choice: str | dict[str, Any] | None = Field(
        None,
        description="none, auto, required, or a function to call. Default: auto with tools, else none.",
    )
    response_format: dict[str, Any] | None = Field(
        None, description="The form of the answer: text, a JSON object, or a JSON schema. Default: text."
    )


MAX_INPUTS = 2048
"""Texts in one request, as at OpenAI: work starts on all at once, and each result is kept until the last one."""

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

    prompt: Inputs = Field(description="The text to continue; or several; or token ids of the model's vocabulary.")
    suffix: str | None = Field(None, description="Text that follows the answer. Default: none.")
    echo: bool | None = Field(None, description="Put the prompt before the answer. Default false.")
    logprobs: int | None = Field(
        None,
        ge=0,
        le=20,
        description="Return the log-probability of each token, and of this many of the likeliest tokens in its place."
        " Default: none.",
    )
    best_of: int | None = Field(
        None, ge=1, le=20, description="Make this many answers and return the `n` best of them. Default: `n`."
    )


class EmbeddingsRequest(ExtensibleRequest):
    """Texts (or token ids) to turn into vectors."""

    model: ResourceId = Field(
        min_length=1, description="The embedding model: `provider_id/provider_model_id`, or an alias."
    )
    input: Inputs = Field(description="The text; or several; or token ids of the model's vocabulary.")
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="float: a list of numbers. base64: little-endian float32. Default float."
    )
    dimensions: int | None = Field(
        None, ge=1, description="Numbers per vector, where the model can make shorter ones. Default: all it makes."
    )
    user: str | None = Field(None, description="Your id for the end user, passed on to the provider. Default: none.")


class Usage(Response):
    """Tokens of a request and its answer."""

    prompt_tokens: int = Field(0, description="Tokens read; each prompt counts once.")
    completion_tokens: int = Field(0, description="Tokens written, in all choices together.")
    total_tokens: int = Field(0, description="Both together.")


_Id = Annotated[str, Field(description="The answer's id; all chunks of a stream have the same.")]
_Created = Annotated[int, Field(description="When the answer was begun, in seconds since 1970.")]
_AnsweredBy = Annotated[str, Field(description="The model, by the name in the request.")]
_Choice = Annotated[int, Field(description="Which of the `n` answers this is, from 0.")]
_FinishReason = Annotated[
    str | None, Field(description="Why the answer ended: `stop`, `length`, `tool_calls`, ...; null before its end.")
]
_Logprobs = Annotated[
    dict[str, Any] | None,
    Field(description="Log-probabilities (natural) of the tokens, in OpenAI's format; null unless asked for."),
]
_Usage = Annotated[Usage | None, Field(description="Token counts; in a stream only in its last chunk, if asked for.")]


class ChatChoice(Response):
    """One answer."""

    index: _Choice
    message: dict[str, Any] = Field(description="The model's message, in OpenAI's format: role, content, tool_calls.")
    finish_reason: _FinishReason = None
    logprobs: _Logprobs = None


class ChatCompletion(Response):
    """A whole chat answer."""

    id: _Id
    object: Literal["chat.completion"] = Field("chat.completion", description="Always `chat.completion`.")
    created: _Created
    model: _AnsweredBy
    choices: list[ChatChoice] = Field(description="The answers; `n` of them.")
    usage: _Usage = None


class ChatChunkChoice(Response):
    """The next part of one answer."""

    index: _Choice
    delta: dict[str, Any] = Field(description="What is added to the message: role, content, tool_calls.")
    finish_reason: _FinishReason = None
    logprobs: _Logprobs = None


class ChatCompletionChunk(Response):
    """One event of a streamed chat answer."""

    id: _Id
    object: Literal["chat.completion.chunk"] = Field(
        "chat.completion.chunk", description="Always `chat.completion.chunk`."
    )
    created: _Created
    model: _AnsweredBy
    choices: list[ChatChunkChoice] = Field(description="The parts that are new; empty in the chunk of token counts.")
    usage: _Usage = None


class CompletionChoice(Response):
    """One answer, or the next part of one."""

    index: _Choice
    text: str = Field(description="The text; in a stream the part that is new.")
    finish_reason: _FinishReason = None
    logprobs: _Logprobs = None


class Completion(Response):
    """A whole text completion, or one event of a streamed one."""

    id: _Id
    object: Literal["text_completion"] = Field("text_completion", description="Always `text_completion`.")
    created: _Created
    model: _AnsweredBy
    choices: list[CompletionChoice] = Field(description="The answers, `n` for each prompt; in a stream the new parts.")
    usage: _Usage = None


class Embedding(Response):
    """The vector of one text."""

    index: int = Field(description="Which text of the request it is of, from 0.")
    object: Literal["embedding"] = Field("embedding", description="Always `embedding`.")
    embedding: list[float] | str = Field(description="The vector, as `encoding_format` says.")


class EmbeddingsResponse(Response):
    """One vector for each text, in order."""

    object: Literal["list"] = Field("list", description="Always `list`.")
    data: list[Embedding] = Field(description="The vectors, in the order of the texts.")
    model: _AnsweredBy
    usage: Usage = Field(description="Token counts.")


class Inference(Protocol):
    """Every method returns a `Reply`, or an `EventStream` for `stream: true`. It raises before the first byte."""

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
        """Turn texts into vectors. 404 for an unknown model, 400 for a model that makes no embeddings."""
        ...


API = Api("inference", Inference)
