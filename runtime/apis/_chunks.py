"""Chunks of documents, as file processors make them and vector stores keep them, and how documents are cut."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._chunk_sizes import DEFAULT_CHUNK_TOKENS, DEFAULT_OVERLAP_TOKENS
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Response


class ChunkUrl(Response):
    """An address."""

    uri: str = Field(description="The address.")


class ChunkImageSource(Response):
    """Where an image is, or its bytes."""

    url: ChunkUrl | None = Field(None, description="Its address, if it is not given as data.")
    data: str | None = Field(None, description="Its bytes in base64, if it has no address.")


class ChunkText(Response):
    """A part of a chunk that is text."""

    type: Literal["text"] = "text"
    text: str = Field(description="The text.")


class ChunkImage(Response):
    """A part of a chunk that is an image."""

    type: Literal["image"] = "image"
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


ChunkContent = str | ChunkText | ChunkImage | Annotated[list[ChunkText | ChunkImage], AT_ONCE]
"""What a chunk says, or what is looked for."""


def text_of(content: ChunkContent) -> str:
    """The texts of a content, one on a line; images are left out."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    return "\n".join(part.text for part in parts if isinstance(part, ChunkText))


class Chunk(Response):
    """A piece of a document that is found and shown as one."""

    content: ChunkContent = Field(description="What it says.")
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

    type: Literal["auto"] = "auto"


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

    type: Literal["static"] = "static"
    static: StaticSizes = Field(description="How large chunks are.")


WHOLE_DOCUMENT, CHUNK_CONTENT = "{{WHOLE_DOCUMENT}}", "{{CHUNK_CONTENT}}"
"""What a context prompt has in the places of the document's text and of the chunk's."""


class ContextualSizes(_Strategy):
    """How a model writes what each chunk is about, and the size of chunks."""

    model_id: ResourceId | None = Field(
        None, min_length=1, description="The model that writes. By default, the one that the provider has for it."
    )
    context_prompt: str | None = Field(
        None,
        max_length=20_000,
        description="What it is asked, with `{{WHOLE_DOCUMENT}}` and after it `{{CHUNK_CONTENT}}` where the texts go."
        " By default, the provider's prompt.",
    )
    max_chunk_size_tokens: int = Field(
        700, ge=100, le=4096, description="The most tokens of a chunk without its context. The default is 700."
    )
    chunk_overlap_tokens: int = Field(
        400, ge=0, description="The most tokens that two chunks share, fewer than a chunk has. The default is 400."
    )
    timeout_seconds: int | None = Field(
        None, ge=1, le=3600, description="The longest that one answer may take. By default, as the provider has it."
    )
    max_concurrency: int | None = Field(
        None, ge=1, le=64, description="How many chunks are asked about at a time. By default, as the provider has it."
    )

    @model_validator(mode="after")
    def _overlaps_and_prompt_fit(self) -> ContextualSizes:
        if self.chunk_overlap_tokens >= self.max_chunk_size_tokens:
            raise PydanticCustomError("overlap", "chunk_overlap_tokens must be less than max_chunk_size_tokens")
        prompt = self.context_prompt
        if prompt is not None and not -1 < prompt.find(WHOLE_DOCUMENT) < prompt.find(CHUNK_CONTENT):
            raise PydanticCustomError(
                "context_prompt",
                "context_prompt must have {whole} and after it {chunk}",
                {"whole": WHOLE_DOCUMENT, "chunk": CHUNK_CONTENT},
            )
        return self


class ContextualChunking(_Strategy):
    """Cut into chunks, before each of which a model writes what it is about in its document."""

    type: Literal["contextual"] = "contextual"
    contextual: ContextualSizes = Field(description="The model, what it is asked, and the size of chunks.")


ChunkingStrategy = Annotated[
    AutoChunking | StaticChunking | ContextualChunking,
    Field(discriminator="type"),
]
"""How files of a vector store are cut."""
