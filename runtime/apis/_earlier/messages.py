"""The messages of a conversation, as llama-stack before 0.4 has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._earlier.content import InterleavedContent
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request

StopReason = Literal["end_of_turn", "end_of_message", "out_of_tokens"]
_SAID = Field(description="The text, or texts and images.")


class EarlierToolCall(Request):
    """A call of a tool, in a message and in an answer."""

    call_id: str = Field(description="The call's id, which its result names.")
    tool_name: str = Field(min_length=1, description="The tool's name.")
    arguments: dict[str, Any] | str = Field(
        description="Its arguments by name; or the text that a model wrote, where that is no JSON object."
    )
    arguments_json: str | None = Field(
        None, description="The same as JSON, as the model wrote it; takes precedence over `arguments`. Default: none."
    )


class EarlierUserMessage(Request):
    """What the user says."""

    role: Literal["user"]
    content: InterleavedContent = _SAID
    context: InterleavedContent | None = Field(
        None,
        description="What the user knows beside it, such as what was found; it follows the content. Default: none.",
    )


class EarlierSystemMessage(Request):
    """How the model is to behave."""

    role: Literal["system"]
    content: InterleavedContent = _SAID


class EarlierToolMessage(Request):
    """What a tool gave back."""

    role: Literal["tool"]
    call_id: str = Field(description="The id of the call.")
    tool_name: ResourceId | None = Field(
        None, description="The tool's name, from older clients; not needed. Default: none."
    )
    content: InterleavedContent = _SAID


class CompletionMessage(Request):
    """What the model says."""

    role: Literal["assistant"]
    content: InterleavedContent = Field("", description="The text. Default: empty, where the model only calls tools.")
    stop_reason: StopReason | None = Field(
        None,
        description="Why it ended: `end_of_turn`; `end_of_message`, where tools are called; `out_of_tokens`. Default:"
        " nothing is said.",
    )
    tool_calls: Annotated[list[EarlierToolCall], AT_ONCE] | None = Field(
        None, description="The tools that it calls. Default: none."
    )


EarlierMessage = Annotated[
    EarlierUserMessage | EarlierSystemMessage | EarlierToolMessage | CompletionMessage, Field(discriminator="role")
]
