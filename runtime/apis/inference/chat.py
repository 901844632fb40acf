"""The request of a chat completion. https://platform.openai.com/docs/api-reference/chat/create"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis._metadata import OpenAIMetadata
from runtime.apis._request import AT_ONCE, example
from runtime.apis.inference._shared import OLDER, OPEN, Sampling
from runtime.apis.inference.messages import ChatMessage, TextPart
from runtime.apis.inference.response_formats import ResponseFormat
from runtime.apis.inference.tool_use import (
    FunctionNamed,
    OlderFunction,
    Tool,
    ToolChoice,
    name_of,
    named_in,
    names_of,
)


class VoiceId(TypedDict, total=False):
    """A voice of one's own."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    id: Required[Annotated[str, Field(description="Its id at the provider.")]]


class AudioOutput(TypedDict, total=False):
    """How a spoken answer sounds."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    voice: Required[Annotated[str | VoiceId, Field(description="A voice of the provider's, or one's own.")]]
    format: Required[Annotated[str, Field(description="`wav`, `aac`, `mp3`, `flac`, `opus` or `pcm16`.")]]


class Prediction(TypedDict, total=False):
    """Text that much of the answer will repeat, such as a file to be changed: it is then quicker."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["content"]]
    content: Required[Annotated[str | Annotated[list[TextPart], AT_ONCE], Field(description="The text.")]]


class ApproximateLocation(TypedDict, total=False):
    """Roughly where the user is."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    country: Annotated[str | None, Field(description="Two letters, as in ISO 3166-1. Default: none.")]
    region: Annotated[str | None, Field(description="Such as a state. Default: none.")]
    city: Annotated[str | None, Field(description="The city. Default: none.")]
    timezone: Annotated[str | None, Field(description="As in the IANA database. Default: none.")]


class UserLocation(TypedDict, total=False):
    """Where the user is."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["approximate"]]
    approximate: Required[Annotated[ApproximateLocation, Field(description="The place.")]]


class WebSearchOptions(TypedDict, total=False):
    """How the provider searches the web for the answer."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    user_location: Annotated[UserLocation | None, Field(description="Where results should be near. Default: none.")]
    search_context_size: Annotated[
        str | None, Field(description="How much of the results is read: `low`, `medium` or `high`. Default: `medium`.")
    ]


def _check_allowed(tools: list[dict[str, Any]]) -> None:
    """Each names a function or a custom tool, or is of a kind that only the provider knows."""
    for place, tool in enumerate(tools):
        kind = tool.get("type")
        if name_of(tool) is None and (not isinstance(kind, str) or kind in ("function", "custom")):
            words = "`allowed_tools.tools[{place}]` names no function or custom tool"
            raise PydanticCustomError("no_tool", words, {"place": place})


class ChatCompletionRequest(Sampling):
    """A conversation to continue."""

    model_config = example(
        model="SmolLM2-135M-Instruct",
        messages=[{"role": "user", "content": "What is the capital of Japan?"}],
        max_completion_tokens=30,
    )

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
    tools: Annotated[list[Tool], AT_ONCE] | None = Field(None, description="What the model may call. Default: nothing.")
    tool_choice: ToolChoice | None = Field(
        None,
        description="`none`, `auto`, `required`, or the tool to call, or some that are allowed. Default: `auto` with"
        " tools, else `none`.",
    )
    parallel_tool_calls: bool | None = Field(
        None, description="Whether one answer may have several calls. Default: the provider's, usually true."
    )
    functions: Annotated[list[OlderFunction], AT_ONCE] | None = Field(
        None, json_schema_extra=OLDER, description="The older form of `tools`. Default: none."
    )
    function_call: str | FunctionNamed | None = Field(
        None,
        json_schema_extra=OLDER,
        description="The older form of `tool_choice`. Default: `auto` with functions, else `none`.",
    )
    response_format: ResponseFormat | None = Field(
        None, description="The form of the answer: text, a JSON object, or JSON of a schema. Default: text."
    )
    reasoning_effort: str | None = Field(
        None,
        description="How long a reasoning model thinks: `none`, `minimal`, `low`, `medium`, `high` or `xhigh`. Default:"
        " the provider's.",
    )
    verbosity: str | None = Field(
        None, description="How long the answer is to be: `low`, `medium` or `high`. Default: the provider's."
    )
    modalities: Annotated[list[str], AT_ONCE] | None = Field(
        None, description="What the answer is made of: `text`, and `audio` where the model speaks. Default: text."
    )
    audio: AudioOutput | None = Field(None, description="How a spoken answer sounds. Default: nothing is spoken.")
    prediction: Prediction | None = Field(None, description="What the answer will mostly repeat. Default: nothing.")
    web_search_options: WebSearchOptions | None = Field(
        None, description="Let the provider search the web before it answers. Default: it does not."
    )
    service_tier: str | None = Field(
        None,
        description="How quickly, and at which price: `auto`, `default`, `flex`, `priority`. Default: the provider's.",
    )
    store: bool | None = Field(
        None,
        description="Whether request and answer are kept, to be read at `GET /v1/chat/completions`; a provider that can"
        " keep them is told the same. Default: true, as with llama-stack and unlike OpenAI, unless the run config has"
        " `storage.stores.inference.enabled: false`, with which nothing is kept.",
    )
    metadata: OpenAIMetadata | None = Field(
        None,
        description="Your own words about the request, kept with it, by which lists can be filtered: at most 16"
        " entries, keys of at most 64 characters, values of at most 512. Default: none.",
    )
    prompt_cache_key: str | None = Field(
        None, description="Requests with the same key and beginning share the provider's cache. Default: none."
    )
    prompt_cache_retention: str | None = Field(
        None, description="How long the cache is kept: `in-memory` or `24h`. Default: the provider's."
    )
    safety_identifier: str | None = Field(
        None, description="A hash that stands for your end user, for the provider's safety checks. Default: none."
    )

    @field_validator("tool_choice")
    @classmethod
    def _names_given_tools(cls, choice: ToolChoice | None, info: ValidationInfo) -> ToolChoice | None:
        if isinstance(choice, dict) and "tools" in info.data:
            if choice["type"] == "allowed_tools":
                _check_allowed(choice["allowed_tools"]["tools"])  # type: ignore[typeddict-item]  # by its type
            given = names_of(info.data["tools"])
            for name in named_in(choice):
                if name not in given:
                    raise PydanticCustomError("no_such_tool", "`{name}` is not among `tools`", {"name": name})
        return choice
