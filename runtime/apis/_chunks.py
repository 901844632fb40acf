"""Chunks of documents, as file processors make them and vector stores keep them, and how documents are cut."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._request import Response

DEFAULT_CHUNK_TOKENS, DEFAULT_OVERLAP_TOKENS = 800, 400


class ChunkUrl(Response):
    """An address."""

    uri: str = Field(description="The address.")


class ChunkImageSource(Response):
    """Where an image is, or its bytes."""

    url: ChunkUrl | None = Field(None, description="Its address, if it is not given as data.")
    data: str | None = Field(None, description="Its bytes in base64, if it has no address.")


class ChunkText(Response):
    """A part of a chunk that is text."""

    type: Literal["text"] = Field("text", description="Always `text`.")
    text: str = Field(description="The text.")


class ChunkImage(Response):
    """A part of a chunk that is an image."""

    type: Literal["image"] = Field("image", description="Always `image`.")
    image: ChunkImageSource = Field(description="The image.")


class ChunkMetadata(Response):
    """Where a chunk comes from; not shown to a model."""

    chunk_id: str | None = Field(None, description="The chunk's id.")
    document_id: str | None = Field(None, description="The id of its document: that of the file, if it has one.")
    source: str | None = Field(None, description="Where the document comes from: the name of its file.")
    created_timestamp: int | None = Field(None, description="When it was made, in seconds since 1970.")
    updated_timestamp: int | None = Field(None, description="When it was last changed, in seconds since 1970.")
    chunk_window: str | None = Field(None, description="Its place in the document, in tokens: `first-end`.")
    chunk_tokenizer: str | None = Field(None, description="What counted the tokens.")
    content_token_count: int | None = Field(None, description="The tokens of its content.")
    metadata_token_count: int | None = Field(None, description="The tokens of its metadata.")


class Chunk(Response):
    """A piece of a document that is found and shown as one."""

    content: str | ChunkText | ChunkImage | list[ChunkText | ChunkImage] = Field(description="What it says.")
    chunk_id: str = Field(description="Its id; the same for the same piece of the same document.")
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="What may be shown to a model: `document_id`, `filename`, `headings` above it, `page_number`.",
    )
    chunk_metadata: ChunkMetadata = Field(description="Where it comes from.")


class _Strategy(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class AutoChunking(_Strategy):
    """Cut into chunks of the provider's default size."""

    type: Literal["auto"] = Field("auto", description="Always `auto`.")


class StaticSizes(_Strategy):
    """The size of chunks."""

    max_chunk_size_tokens: int = Field(
        DEFAULT_CHUNK_TOKENS, ge=100, le=4096, description="The most tokens of a chunk. The default is 800."
    )
    chunk_overlap_tokens: int = Field(
        DEFAULT_OVERLAP_TOKENS,
        ge=0,
        description="The most tokens that two chunks share. At most half of a chunk. The default is 400.",
    )

    @model_validator(mode="after")
    def _overlaps_by_half_at_most(self) -> StaticSizes:
        if self.chunk_overlap_tokens * 2 > self.max_chunk_size_tokens:
            raise PydanticCustomError("overlap", "chunk_overlap_tokens may be at most half of max_chunk_size_tokens")
        return self


class StaticChunking(_Strategy):
    """Cut into chunks of this size."""

    type: Literal["static"] = Field("static", description="Always `static`.")
    static: StaticSizes = Field(description="The size of chunks.")
