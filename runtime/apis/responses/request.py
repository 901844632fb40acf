"""The request of a response. https://platform.openai.com/docs/api-reference/responses/create"""

from __future__ import annotations

from typing import Annotated, Literal, Required, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis._json_schema import JsonSchema
from runtime.apis._metadata import OpenAIMetadata
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, ExtensibleRequest, example
from runtime.apis._sampling import Temperature, TopP
from runtime.apis._types import one_word_of
from runtime.apis.inference._shared import OPEN, USER
from runtime.apis.inference.chat import ChatCompletionRequest
from runtime.apis.inference.guardrails import Guardrails
from runtime.apis.inference.response_formats import JsonObjectFormat, TextFormat
from runtime.apis.responses.content import InputPart
from runtime.apis.responses.items import Items
from runtime.apis.responses.tool_use import ToolChoice, Tools
from runtime.apis.responses.tools import KINDS
from runtime.invalid.in_json import wrong_in
from runtime.similar import LONGEST_NAME

LOGPROBS = "message.output_text.logprobs"
SEALED_THOUGHTS = "reasoning.encrypted_content"
_OWN_INCLUDES = ("message.input_image.image_url", SEALED_THOUGHTS, LOGPROBS)
Include = Annotated[str, one_word_of([*_OWN_INCLUDES, *(word for kind in KINDS for word in kind.includes)])]
"""One of these, or of what the files in `tools/` state."""
_NOT_PASSED_ON = {
    "messages": "give them as `input`",
    "functions": "give them as `tools`",
    "function_call": "give it as `tool_choice`",
    "n": "a response has one answer",
}
"""Fields of chat completions, and what is said to whoever gives one."""
_LEAST_CHAT = {"model": "any", "messages": [{"role": "user", "content": ""}]}
_CLOSED = ConfigDict(extra="forbid")
"""Of a TypedDict without further keys."""


class JsonSchemaFormat(TypedDict, total=False):
    """JSON that matches a schema."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[Literal["json_schema"]]
    name: Annotated[str, Field(description="Its name: letters, digits, `_` and `-`. Default: `response`.")]
    description: Annotated[str | None, Field(description="What it is for, for the model. Default: none.")]
    schema: Annotated[JsonSchema | None, Field(description="The schema. Default: any JSON.")]
    strict: Annotated[
        bool | None, Field(description="Whether the answer must match the schema. Default: the provider's.")
    ]


class TextSettings(TypedDict, total=False):
    """What the text of the answer is like."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    format: Annotated[
        Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")] | None,
        Field(description="Its form: text, a JSON object, or JSON of a schema. Default: text."),
    ]
    verbosity: Annotated[
        str | None, Field(description="How long it is to be: `low`, `medium` or `high`. Default: the provider's.")
    ]


class ReasoningSettings(TypedDict, total=False):
    """How a reasoning model thinks."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    effort: Annotated[
        str | None,
        Field(description="How long: `none`, `minimal`, `low`, `medium`, `high` or `xhigh`. Default: the provider's."),
    ]
    summary: Annotated[
        str | None,
        Field(description="Whether a summary is shown: `auto`, `concise` or `detailed`. Default: the provider's."),
    ]


class ConversationId(TypedDict, total=False):
    """A conversation, by its id."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    id: Required[Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="The conversation's id.")]]


ConversationName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] | ConversationId


class PromptReference(TypedDict, total=False):
    """A prompt that is kept here."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    id: Required[Annotated[ResourceId, Field(min_length=1, description="The prompt's id.")]]
    version: Annotated[str | None, Field(description="Its version. Default: the one that is its default.")]
    variables: Annotated[
        dict[str, str | InputPart] | None,
        Field(description="A text, or a part of text, image or file, for each variable."),
    ]


class ResponseStreamOptions(TypedDict, total=False):
    """What a stream has beside the answer."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    include_obfuscation: Annotated[
        bool, Field(description="Accepted, and without effect: events are not filled up here. Default: true.")
    ]


class ContextManagement(TypedDict, total=False):
    """A way to keep a conversation short."""

    type: Required[Literal["compaction"]]
    compact_threshold: Required[
        Annotated[
            int,
            Field(
                ge=1,
                description="How many tokens a conversation has at most before it is summarised, counted as"
                " `/v1/responses/input_tokens` does.",
            ),
        ]
    ]


class ResponseHistory(ExtensibleRequest):
    """What a model is to read."""

    model: ResourceId = Field(
        min_length=1, description="The model that answers: `provider_id/provider_model_id`, or an alias."
    )
    input: str | Items | None = Field(
        None, description="What the model is to answer to: a text, or items. Default: what went before, or the prompt."
    )
    instructions: str | None = Field(
        None,
        description="How the model is to behave in this answer; those of earlier ones do not count. Default: none.",
    )
    previous_response_id: str | None = Field(
        None, min_length=1, description="The response that this one continues. Default: none."
    )
    conversation: ConversationName | None = Field(
        None,
        description="The conversation that this continues, and to which it adds its input and output. Default: none.",
    )

    @model_validator(mode="after")
    def _continues_one(self) -> Self:
        if self.previous_response_id is not None and self.conversation is not None:
            message = "`previous_response_id` and `conversation` cannot both be given: each is a history"
            raise PydanticCustomError("two_histories", message, {"inside": "conversation"})
        return self

    @property
    def conversation_id(self) -> str | None:
        """The conversation's id in either form."""
        return self.conversation["id"] if isinstance(self.conversation, dict) else self.conversation


class ResponseSettings(ResponseHistory):
    """What a model is to answer to, and with what it may help itself."""

    tools: Tools | None = Field(None, description="What the model may call. Default: nothing.")
    tool_choice: ToolChoice | None = Field(
        None, description="`none`, `auto`, `required`, or a tool, or those that are allowed. Default: `auto`."
    )
    parallel_tool_calls: bool | None = Field(
        None,
        description="Whether the model may call several tools at once; those that run on the server then run at once"
        " too. The default is true.",
    )
    text: TextSettings | None = Field(None, description="What the text of the answer is like. Default: any text.")
    reasoning: ReasoningSettings | None = Field(None, description="How the model thinks. Default: the provider's.")
    truncation: Literal["auto", "disabled"] | None = Field(
        None,
        description="What happens to a conversation longer than the model reads: with `auto` its oldest part is left"
        " out, with `disabled` that is an error. The default is `disabled`.",
    )


class CreateResponseRequest(ResponseSettings):
    """A response to be made."""

    model_config = example(model="SmolLM2-135M-Instruct", input="What is the capital of Japan?", max_output_tokens=30)

    stream: bool | None = Field(None, description="Send events while the answer is made. The default is false.")
    stream_options: ResponseStreamOptions | None = Field(
        None, description="What a stream has beside the answer. Default: nothing."
    )
    store: bool | None = Field(
        None,
        description="Whether the response is kept, to be read and continued. The default is true. With `false` nothing"
        " of it is.",
    )
    metadata: OpenAIMetadata | None = Field(
        None,
        description="Your own words about the response, kept with it: at most 16 entries, keys of at most 64"
        " characters, values of at most 512. Default: none.",
    )
    include: Annotated[list[Include], AT_ONCE] | None = Field(
        None, description="What the output has beyond the usual: see the values. Default: nothing."
    )
    max_output_tokens: int | None = Field(
        None, ge=1, description="The longest answer, in tokens, thoughts among them. Default: the provider's."
    )
    max_tool_calls: int | None = Field(
        None,
        ge=1,
        description="The most calls of tools that are run here. Later ones are ignored, and the model answers without"
        " these tools. Default: no limit.",
    )
    max_infer_iters: int | None = Field(
        None, ge=1, le=1000, description="The most times that the model is asked. The default is 10."
    )
    temperature: Temperature = None
    top_p: TopP = None
    top_logprobs: int | None = Field(
        None, ge=0, le=20, description="How many of the likeliest tokens to show in each place. The default is 0."
    )
    frequency_penalty: float | None = Field(
        None,
        ge=-2,
        le=2,
        description="Subtracted from a token's logit for each time the answer has it. Default: the provider's.",
    )
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="Subtracted once from the logit of a token that the answer has. Default 0."
    )
    prompt: PromptReference | None = Field(
        None,
        description="A prompt that is kept here, which the model reads first; those of earlier responses do not count."
        " Default: none.",
    )
    background: bool | None = Field(
        None, description="Whether to answer at once and make the response afterwards. The default is false."
    )
    guardrails: Guardrails = None
    context_management: Annotated[list[ContextManagement], Field(max_length=1)] | None = Field(
        None,
        description="When a conversation is compacted before the model is asked, at first or after tools were run; the"
        " output then holds the compaction. Default: never.",
    )
    service_tier: str | None = Field(
        None,
        description="How quickly, and at which price: `auto`, `default`, `flex`, `priority`. Default: the provider's.",
    )
    safety_identifier: str | None = Field(
        None, description="A hash that stands for your end user, for the provider's safety checks. Default: none."
    )
    prompt_cache_key: str | None = Field(
        None, description="Requests with the same key and beginning share the provider's cache. Default: none."
    )
    user: str | None = USER

    @model_validator(mode="after")
    def _background_is_kept(self) -> Self:
        if self.background and self.store is False:
            raise PydanticCustomError("not_kept", "`background` needs `store`, or nobody could ask for the response")
        return self

    @model_validator(mode="after")
    def _passed_on_is_of_chat(self) -> Self:
        """Fields that a response does not have go to the model's provider: those of chat completions as these have
        them. None that asks for what a response has no place for: it would be lost.
        """
        if not (extra := self.model_extra):
            return self
        for name in extra.keys() & _NOT_PASSED_ON.keys():
            if extra[name] is not None and (name, extra[name]) != ("n", 1):
                message = "is a field of chat completions, and not of responses: {instead}"
                raise PydanticCustomError("not_here", message, {"instead": _NOT_PASSED_ON[name], "inside": name})
        if known := {name: extra[name] for name in extra.keys() & ChatCompletionRequest.model_fields.keys()}:
            try:
                checked = ChatCompletionRequest.model_validate({**_LEAST_CHAT, **known})
            except ValidationError as error:
                wrong = wrong_in(known, error, ChatCompletionRequest)[0]
                facts = {"words": wrong.words, "inside": wrong.place}
                raise PydanticCustomError("as_in_chat", "{words}", facts) from None
            extra |= {name: getattr(checked, name) for name in known}
        return self

    def includes(self, what: str) -> bool:
        """Whether the output is to have this."""
        return self.include is not None and what in self.include
