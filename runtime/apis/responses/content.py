"""What messages and the outputs of tools are made of, as the Responses API has it: parts of text, images and files.

https://platform.openai.com/docs/api-reference/responses/create. They stay plain dicts. Keys that are not known here
travel on; a kind of part that is not known is refused, since nothing could be done with it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN
from runtime.similar import LONGEST_NAME


class InputText(TypedDict, total=False):
    """Text that the model reads."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[Literal["input_text"]]
    text: Required[Annotated[str, Field(description="The text.")]]


class InputImage(TypedDict, total=False):
    """An image that the model sees: by its address, as data, or as a file."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["input_image"]]
    image_url: Annotated[
        str | None,
        Field(description="Its address, or the image itself as `data:image/png;base64,...`. Default: `file_id` says."),
    ]
    file_id: Annotated[
        str | None, Field(max_length=LONGEST_NAME, description="The id of a file here. Default: `image_url` says.")
    ]
    detail: Annotated[
        str | None, Field(description="How closely to look: `auto`, `low` or `high`. Default: the provider's.")
    ]


class InputFile(TypedDict, total=False):
    """A file that the model reads: as data, by its address, or by its id."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["input_file"]]
    filename: Annotated[str | None, Field(description="Its name. Default: none.")]
    file_data: Annotated[str | None, Field(description="The file as base64, or as a data address. Default: none.")]
    file_url: Annotated[str | None, Field(description="Its address. Default: none.")]
    file_id: Annotated[str | None, Field(max_length=LONGEST_NAME, description="The id of a file here. Default: none.")]


class OutputText(TypedDict, total=False):
    """Text that a model wrote."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["output_text"]]
    text: Required[Annotated[str, Field(description="The text.")]]
    annotations: Annotated[
        Annotated[list[dict[str, Any]], AT_ONCE] | None,
        Field(description="What places of the text refer to: `file_citation`, `url_citation`, `file_path`."),
    ]
    logprobs: Annotated[
        Annotated[list[dict[str, Any]], AT_ONCE] | None,
        Field(description="The log-probability of each token, if asked for."),
    ]


class Refusal(TypedDict, total=False):
    """What a model said instead of an answer that it would not give."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["refusal"]]
    refusal: Required[Annotated[str, Field(description="What it said.")]]


class SummaryText(TypedDict, total=False):
    """A part of the summary of what a model thought."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["summary_text"]]
    text: Required[Annotated[str, Field(description="The text.")]]


class ReasoningText(TypedDict, total=False):
    """A part of what a model thought."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["reasoning_text"]]
    text: Required[Annotated[str, Field(description="The text.")]]


def _one_of(*names: str) -> AfterValidator:
    """Refuses a part that has none of these members."""
    listed = ", ".join(f"`{name}`" for name in names[:-1]) + f" or `{names[-1]}`"

    def check(part: dict[str, Any]) -> dict[str, Any]:
        if not any(part.get(name) for name in names):
            raise PydanticCustomError("no_content", "{listed} is required", {"listed": listed, "inside": names[0]})
        return part

    return AfterValidator(check)


_Image = Annotated[InputImage, _one_of("image_url", "file_id")]
_File = Annotated[InputFile, _one_of("file_data", "file_url", "file_id")]
InputPart = Annotated[InputText | _Image | _File, Field(discriminator="type")]
MessagePart = Annotated[InputText | _Image | _File | OutputText | Refusal, Field(discriminator="type")]
InputContent = str | Annotated[list[InputPart], AT_ONCE]
MessageContent = str | Annotated[list[MessagePart], AT_ONCE]
