"""The requests of the earlier inference API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from runtime.apis._earlier.content import ContentItem, InterleavedContent
from runtime.apis._earlier.messages import EarlierMessage
from runtime.apis._earlier.sampling import EarlierResponseFormat, LogProbConfig, SamplingParams
from runtime.apis._earlier.tool_definitions import Choice, PromptFormat, ToolConfig, ToolDefinition
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request, example
from runtime.apis.inference.protocol import MAX_INPUTS

MAX_BATCH = 256
"""Conversations or texts of one request; the earlier API names no limit."""

Conversation = Annotated[list[EarlierMessage], AT_ONCE, Field(min_length=1)]


class _Generating(Request):
    """What every request for generated text has."""

    model_id: ResourceId = Field(
        min_length=1,
        validation_alias=AliasChoices("model_id", "model"),
        description="The model that answers: `provider_id/provider_model_id`, or an alias.",
    )
    sampling_params: SamplingParams | None = Field(
        None, description="How the answer is chosen. Default: the likeliest token each time."
    )
    response_format: EarlierResponseFormat | None = Field(
        None, description="The form of the answer: JSON of a schema. Default: any text."
    )
    logprobs: LogProbConfig | None = Field(None, description="Tell the tokens' log-probabilities. Default: do not.")


class _Streaming(_Generating):
    """One answer, which may be streamed."""

    stream: bool | None = Field(
        None, description="Send the answer as server-sent events while it is made. Default false."
    )


class _Calling(_Generating):
    """What the model may call."""

    tools: Annotated[list[ToolDefinition], AT_ONCE] | None = Field(
        None, description="What the model may call. Default: nothing."
    )
    tool_choice: Choice | None = Field(
        None, description="The same as `tool_config.tool_choice`, which takes precedence. Default: `auto`."
    )
    tool_prompt_format: PromptFormat | None = Field(
        None, description="The same as `tool_config.tool_prompt_format`: without effect. Default: none."
    )
    tool_config: ToolConfig | None = Field(None, description="How tools are used. Default: as its fields say.")


class EarlierChatRequest(_Streaming, _Calling):
    """A conversation to continue."""

    model_config = example(
        model_id="SmolLM2-135M-Instruct",
        messages=[{"role": "user", "content": "What is the capital of Japan?"}],
        sampling_params={"strategy": {"type": "greedy"}, "max_tokens": 30},
    )

    messages: Conversation = Field(description="The conversation so far, oldest message first.")


class EarlierCompletionRequest(_Streaming):
    """A text to continue."""

    model_config = example(
        model_id="SmolLM2-135M-Instruct",
        content="The capital of France is",
        sampling_params={"strategy": {"type": "greedy"}, "max_tokens": 10},
    )

    content: InterleavedContent = Field(description="The text to continue.")


class EarlierBatchChatRequest(_Calling):
    """Conversations to continue."""

    model_config = example(
        model_id="SmolLM2-135M-Instruct",
        messages_batch=[[{"role": "user", "content": "Say hello."}], [{"role": "user", "content": "Say goodbye."}]],
    )

    messages_batch: Annotated[list[Conversation], AT_ONCE] = Field(
        min_length=1, max_length=MAX_BATCH, description="The conversations, at most 256."
    )


class EarlierBatchCompletionRequest(_Generating):
    """Texts to continue."""

    model_config = example(model_id="SmolLM2-135M-Instruct", content_batch=["One, two,", "A, B,"])

    content_batch: Annotated[list[InterleavedContent], AT_ONCE] = Field(
        min_length=1, max_length=MAX_BATCH, description="The texts, at most 256."
    )


class EarlierEmbeddingsRequest(Request):
    """Texts to turn into vectors."""

    model_config = example(model_id="all-MiniLM-L6-v2", contents=["A llama grazes.", "It rains."])

    model_id: ResourceId = Field(
        min_length=1, description="The embedding model: `provider_id/provider_model_id`, or an alias."
    )
    contents: Annotated[list[str | ContentItem], AT_ONCE] = Field(
        min_length=1, max_length=MAX_INPUTS, description="The texts, at most 2048."
    )
    text_truncation: Literal["none", "start", "end"] | None = Field(
        None,
        description="`none`: a text that is too long is refused. `start` and `end` are refused themselves:"
        " what a model makes of part of a text is no answer about it. The default is `none`.",
    )
    output_dimension: int | None = Field(
        None, ge=1, description="Numbers per vector, where the model can make shorter ones. Default: all it makes."
    )
    task_type: Literal["query", "document"] | None = Field(
        None, description="What the texts are. Without effect: both are embedded alike. Default: nothing is said."
    )
