"""The messages of a conversation, as OpenAI has them: one shape for each role, and the parts of their content.

https://platform.openai.com/docs/api-reference/chat/create. They stay plain dicts. A kind of part that is not known here
travels on, and so do keys that are not: vendors have more.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Discriminator, Field, Tag
from typing_extensions import TypedDict

from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OLDER, OPEN

_OTHER = "other"


def by_type(*known: str) -> Discriminator:
    """Tells values apart by their `type`; one that is not known has the tag `other`."""

    def tag(value: Any) -> str:
        kind = value.get("type") if isinstance(value, dict) else None
        return kind if kind in known else _OTHER

    return Discriminator(tag)


class TextPart(TypedDict, total=False):
    """Text."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[Literal["text"]]
    text: Required[Annotated[str, Field(description="The text.")]]


class ImageUrl(TypedDict, total=False):
    """Where an image is."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    url: Required[Annotated[str, Field(description="Its address, or the image itself as `data:image/png;base64,...`.")]]
    detail: Annotated[
        str | None, Field(description="How closely to look: `auto`, `low` or `high`. Default: the provider's.")
    ]


class ImagePart(TypedDict, total=False):
    """An image."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["image_url"]]
    image_url: Required[
        Annotated[ImageUrl | str, Field(description="The image; some providers also take its address alone.")]
    ]


class InputAudio(TypedDict, total=False):
    """Sound to listen to."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    data: Required[Annotated[str, Field(description="The audio as base64.")]]
    format: Required[Annotated[str, Field(description="Its format: `wav` or `mp3`; providers may take others.")]]


class AudioPart(TypedDict, total=False):
    """Audio."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["input_audio"]]
    input_audio: Required[Annotated[InputAudio, Field(description="The audio.")]]


class FileReference(TypedDict, total=False):
    """A file, itself or by its id."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    filename: Annotated[str | None, Field(description="Its name. Default: none.")]
    file_data: Annotated[str | None, Field(description="The file as base64, or as a data address. Default: none.")]
    file_id: Annotated[str | None, Field(description="The id of a file that the provider has. Default: none.")]


class FilePart(TypedDict, total=False):
    """A file."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["file"]]
    file: Required[Annotated[FileReference, Field(description="The file.")]]


class RefusalPart(TypedDict, total=False):
    """A refusal that the model gave."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["refusal"]]
    refusal: Required[Annotated[str, Field(description="What it said.")]]


class OtherPart(TypedDict, total=False):
    """A kind of part that only some providers know, such as `video_url`."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[str, Field(description="The kind.")]]


ContentPart = Annotated[
    Annotated[TextPart, Tag("text")]
    | Annotated[ImagePart, Tag("image_url")]
    | Annotated[AudioPart, Tag("input_audio")]
    | Annotated[FilePart, Tag("file")]
    | Annotated[RefusalPart, Tag("refusal")]
    | Annotated[OtherPart, Tag(_OTHER)],
    by_type("text", "image_url", "input_audio", "file", "refusal"),
]
Content = str | Annotated[list[ContentPart], AT_ONCE] | None
_CONTENT = Field(description="The text, or parts of text, images, audio and files.")
_NAME = Field(description="A name that tells speakers of one role apart. Default: none.")


class FunctionCall(TypedDict, total=False):
    """A function and what it is called with."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    name: Required[Annotated[str, Field(description="The function's name.")]]
    arguments: Required[Annotated[str, Field(description="A JSON object, as text; a model may write a wrong one.")]]


class CustomCall(TypedDict, total=False):
    """A custom tool and what it is called with."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    name: Required[Annotated[str, Field(description="The tool's name.")]]
    input: Required[Annotated[str, Field(description="Text of any form.")]]


class FunctionToolCall(TypedDict, total=False):
    """A call of a function."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    id: Required[Annotated[str, Field(description="The call's id, which its result names.")]]
    type: Required[Literal["function"]]
    function: Required[Annotated[FunctionCall, Field(description="The call.")]]


class CustomToolCall(TypedDict, total=False):
    """A call of a custom tool."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    id: Required[Annotated[str, Field(description="The call's id, which its result names.")]]
    type: Required[Literal["custom"]]
    custom: Required[Annotated[CustomCall, Field(description="The call.")]]


class OtherToolCall(TypedDict, total=False):
    """A call of a kind that only some providers know."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Annotated[str | None, Field(description="The kind.")]


ToolCall = Annotated[
    Annotated[FunctionToolCall, Tag("function")]
    | Annotated[CustomToolCall, Tag("custom")]
    | Annotated[OtherToolCall, Tag(_OTHER)],
    by_type("function", "custom"),
]


class AudioReference(TypedDict, total=False):
    """Audio that the model spoke before."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    id: Required[Annotated[str, Field(description="Its id in that answer.")]]


class DeveloperMessage(TypedDict, total=False):
    """How the model is to behave, from the application's developer."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    role: Required[Literal["developer"]]
    content: Annotated[Content, _CONTENT]
    name: Annotated[str | None, _NAME]


class SystemMessage(TypedDict, total=False):
    """How the model is to behave."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    role: Required[Literal["system"]]
    content: Annotated[Content, _CONTENT]
    name: Annotated[str | None, _NAME]


class UserMessage(TypedDict, total=False):
    """What the user says."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    role: Required[Literal["user"]]
    content: Annotated[Content, _CONTENT]
    name: Annotated[str | None, _NAME]


class AssistantMessage(TypedDict, total=False):
    """What the model said before."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    role: Required[Literal["assistant"]]
    content: Annotated[Content, _CONTENT]
    name: Annotated[str | None, _NAME]
    refusal: Annotated[str | None, Field(description="Its refusal. Default: none.")]
    reasoning_content: Annotated[
        str | None,
        Field(
            description="What it thought before it answered; sent on under the provider's own name for it, and left out"
            " for a provider that does not want it back. Default: none."
        ),
    ]
    audio: Annotated[AudioReference | None, Field(description="What it spoke. Default: none.")]
    tool_calls: Annotated[
        Annotated[list[ToolCall], AT_ONCE] | None, Field(description="The tools that it called. Default: none.")
    ]
    function_call: Annotated[
        FunctionCall | None, Field(description="The older form of `tool_calls`, for one call.", json_schema_extra=OLDER)
    ]


class ToolMessage(TypedDict, total=False):
    """What a tool gave back."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    role: Required[Literal["tool"]]
    content: Annotated[Content, _CONTENT]
    tool_call_id: Required[Annotated[str, Field(description="The id of the call that this answers.")]]


class FunctionMessage(TypedDict, total=False):
    """The older form of a tool's message."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    role: Required[Literal["function"]]
    content: Annotated[Content, _CONTENT]
    name: Required[Annotated[str, Field(description="The function's name.")]]


ChatMessage = Annotated[
    DeveloperMessage | SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage,
    Field(discriminator="role"),
]
