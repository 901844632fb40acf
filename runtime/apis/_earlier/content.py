"""What a message says, as llama-stack before 0.4 has it: a text, an image, or several of both."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._request import AT_ONCE, Request


class EarlierUrl(Request):
    """An address."""

    uri: str = Field(min_length=1, description="The address, or the bytes themselves as `data:image/png;base64,...`.")


class ImageSource(Request):
    """Where an image is, or its bytes."""

    url: EarlierUrl | None = Field(None, description="Its address. By default, it is given as data.")
    data: str | None = Field(None, min_length=1, description="Its bytes in base64. By default, it has an address.")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> ImageSource:
        if (self.url is None) == (self.data is None):
            raise PydanticCustomError("image_source", "needs one of `url` and `data`")
        return self


class TextItem(Request):
    """Text."""

    type: Literal["text"]
    text: str = Field(description="The text.")


class ImageItem(Request):
    """An image."""

    type: Literal["image"]
    image: ImageSource = Field(description="The image.")


ContentItem = Annotated[TextItem | ImageItem, Field(discriminator="type")]
InterleavedContent = str | ContentItem | Annotated[list[ContentItem], AT_ONCE]
"""A text, an image, or several of both."""


def items_of(content: InterleavedContent) -> list[TextItem | ImageItem]:
    """The parts of a content; a text alone is one of them."""
    if isinstance(content, str):
        return [TextItem(type="text", text=content)]
    return list(content) if isinstance(content, list) else [content]
