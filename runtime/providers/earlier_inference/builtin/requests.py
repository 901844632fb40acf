"""The earlier requests as those of `inference`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.apis._earlier.content import ImageItem, InterleavedContent, TextItem, items_of
from runtime.apis._earlier.messages import EarlierMessage
from runtime.apis.earlier_inference.requests import (
    EarlierBatchChatRequest,
    EarlierBatchCompletionRequest,
    EarlierChatRequest,
    EarlierCompletionRequest,
    EarlierEmbeddingsRequest,
)
from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest
from runtime.context import warn
from runtime.errors import NotSupported, RequestError
from runtime.providers._earlier.messages import chat_messages
from runtime.providers._earlier.settings import check_tool_config, json_format, nothing_to_call, sampling, tool_choice
from runtime.providers.earlier_inference.builtin.functions import functions_of
from runtime.sse import Json

_TRUNCATED = ("start", "end")


def chat_settings(request: EarlierChatRequest | EarlierBatchChatRequest) -> Json:
    """Everything of a chat completion but its messages. Raises RequestError, NotSupported."""
    asked = {"model": request.model_id, **sampling(request.sampling_params)}
    if request.response_format is not None:
        schema = json_format(request.response_format, "response_format")
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.logprobs is not None:
        asked |= {"logprobs": True, "top_logprobs": request.logprobs.top_k or 0}
    if request.tools:
        asked["tools"] = functions_of(request.tools)
    if (choice := _tool_choice(request)) is not None:
        asked["tool_choice"] = choice
    return asked


def chat_request(
    settings: Json, messages: Sequence[EarlierMessage], place: str, *, stream: bool = False
) -> ChatCompletionRequest:
    """place: the field with the messages, for errors. Raises RequestError."""
    asked = {**settings, **_streaming(stream), "messages": chat_messages(messages, place)}
    return ChatCompletionRequest.model_validate(asked)


def completion_settings(request: EarlierCompletionRequest | EarlierBatchCompletionRequest) -> Json:
    """Everything of a completion but its text. Raises NotSupported for a grammar."""
    asked = {"model": request.model_id, **sampling(request.sampling_params)}
    if request.response_format is not None:
        schema = json_format(request.response_format, "response_format")
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.logprobs is not None:
        asked["logprobs"] = request.logprobs.top_k or 0
    return asked


def completion_request(
    settings: Json, content: InterleavedContent, place: str, *, stream: bool = False
) -> CompletionRequest:
    """place: the field with the content, for errors. Raises NotSupported for an image."""
    asked = {**settings, **_streaming(stream), "prompt": _text(items_of(content), place)}
    return CompletionRequest.model_validate(asked)


def embeddings_request(request: EarlierEmbeddingsRequest) -> EmbeddingsRequest:
    """Raises NotSupported for images and for truncation."""
    if request.text_truncation in _TRUNCATED:
        raise NotSupported(
            f"`text_truncation: {request.text_truncation}` is not supported: a text that is too long is refused",
            hint="cut the texts before, or leave `text_truncation` out",
            param="text_truncation",
        )
    if request.task_type is not None:
        warn("`task_type` has no effect: queries and documents are embedded alike")
    texts = [_text(items_of(one), f"contents[{place}]") for place, one in enumerate(request.contents)]
    asked: Json = {"model": request.model_id, "input": texts}
    if request.output_dimension is not None:
        asked["dimensions"] = request.output_dimension
    return EmbeddingsRequest.model_validate(asked)


def _streaming(stream: bool) -> Json:
    return {"stream": True, "stream_options": {"include_usage": True}} if stream else {}


def _tool_choice(request: EarlierChatRequest | EarlierBatchChatRequest) -> str | Json | None:
    config = request.tool_config
    check_tool_config(config, request.tool_prompt_format, "tool_config")
    choice, field = tool_choice(config, request.tool_choice, ("tool_config.tool_choice", "tool_choice"))
    tools = request.tools or []
    if choice is None or choice == "none" or (choice == "auto" and not tools):
        return "none" if choice and tools else None
    if choice == "required" and not tools:
        raise nothing_to_call(field)
    if choice in ("auto", "required"):
        return choice
    if choice not in (names := [tool.tool_name for tool in tools]):
        known = ", ".join(f"`{name}`" for name in names[:10]) or "there are none"
        raise RequestError(f"`{field}`: `{choice}` is not among `tools`", hint=f"tools: {known}", param=field)
    return {"type": "function", "function": {"name": choice}}


def _text(items: Iterable[TextItem | ImageItem], place: str) -> str:
    texts = []
    for item in items:
        if isinstance(item, ImageItem):
            raise NotSupported(f"`{place}` has an image, and only texts are taken here", param=place)
        texts.append(item.text)
    return "\n".join(texts)
