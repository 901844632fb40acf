"""Chat completions that were kept: how they are listed, read, changed and deleted.

The fields are OpenAI's (https://platform.openai.com/docs/api-reference/chat/list), and `input_messages` and `before`
are llama-stack's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._metadata import OpenAIMetadata
from runtime.apis._paging import Order, Page, PageRequest
from runtime.apis._request import Request, Response, example
from runtime.apis.inference.chat_answers import AnswerMessage, ChatCompletion
from runtime.apis.inference.messages import ChatMessage, ContentPart
from runtime.apis.inference.response_formats import ResponseFormat
from runtime.apis.inference.tool_use import Tool, ToolChoice

_ORDER: Order = "asc"
_ID = "Its id, from the answer or a list."
_LONGEST_ID = 256


class StoredCompletionsRequest(PageRequest):
    """Which chat completions."""

    order: Order = Field(
        _ORDER, description="Oldest first with `asc`, newest first with `desc`. The default is OpenAI's, `asc`."
    )
    model: str | None = Field(None, description="Only those of this model, as it was asked for. Default: all.")
    metadata: OpenAIMetadata | None = Field(
        None,
        description="Only those with all of these entries, 16 at most: `metadata[key]=value` in the query."
        " Default: all.",
    )


class StoredCompletionRequest(Request):
    """Which chat completion."""

    completion_id: str = Field(max_length=_LONGEST_ID, description=_ID)


class UpdateCompletionRequest(StoredCompletionRequest):
    """What is to be said about a chat completion from now on."""

    model_config = example(completion_id="chatcmpl-0656f6ba45e00c1a8aa17f2c", metadata={"reviewed": "yes"})

    metadata: OpenAIMetadata | None = Field(
        description="Takes the place of all its entries, with the limits of a request's; null for none."
    )


class CompletionMessagesRequest(PageRequest, StoredCompletionRequest):
    """Which messages of which chat completion."""

    order: Order = Field(_ORDER, description="First to last with `asc`, the default, or last to first with `desc`.")


class StoredCompletion(ChatCompletion):
    """A chat completion with what it was asked."""

    request_id: str | None = Field(None, description="The `x-request-id` of the answer.")
    metadata: dict[str, str] = Field(description="What the request, or a later change, says about it.")
    input_messages: list[ChatMessage] = Field(description="The messages of the request, as they came.")
    temperature: float | None = Field(None, description="As in the request; null where it has none.")
    top_p: float | None = Field(None, description="As in the request; null where it has none.")
    presence_penalty: float | None = Field(None, description="As in the request; null where it has none.")
    frequency_penalty: float | None = Field(None, description="As in the request; null where it has none.")
    seed: int | None = Field(None, description="As in the request; null where it has none.")
    tools: list[Tool] | None = Field(None, description="As in the request; null where it has none.")
    tool_choice: ToolChoice | None = Field(None, description="As in the request; null where it has none.")
    response_format: ResponseFormat | None = Field(None, description="As in the request; null where it has none.")
    input_user: str | None = Field(None, description="The request's `user`.")


class StoredCompletionList(Page):
    """A page of the chat completions that were kept."""

    data: list[StoredCompletion] = Field(description="The chat completions.")


class StoredMessage(AnswerMessage):
    """A message of a request. Each has the fields that it came with, such as `tool_call_id`."""

    id: str = Field(description="The chat completion's id, and the message's place among its messages.")
    role: str = Field(description="Whose message it is.")  # type: ignore[assignment]  # not only an assistant's
    name: str | None = Field(None, description="Who of several with this role; null where it was not said.")
    content_parts: list[ContentPart] | None = Field(
        None, description="The content where it came in parts, each as it came; `content` is null then."
    )


class StoredMessageList(Page):
    """A page of the messages that a chat completion was asked with."""

    data: list[StoredMessage] = Field(description="The messages.")


class DeletedCompletion(Response):
    """What was deleted."""

    object: Literal["chat.completion.deleted"] = "chat.completion.deleted"
    id: str = Field(description="The id of what was deleted.")
    deleted: bool = Field(True, description="Always true: what is not there is a 404.")
