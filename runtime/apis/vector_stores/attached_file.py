"""Files of a vector store: how they are attached, how far they are, and what they consist of.

https://platform.openai.com/docs/api-reference/vector-stores-files/file-object
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._chunks import AutoChunking, ChunkingStrategy, ChunkMetadata, ContextualChunking, StaticChunking
from runtime.apis._metadata import Attributes, AttributeValue
from runtime.apis._names import ResourceId
from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import Deleted, Request, Response, example
from runtime.apis.vector_stores.store import VectorStoreRequest

MAX_CONTENT_CHUNKS = 10_000
"""The most chunks of one page of a file's content."""

AttachedFileStatus = Literal["in_progress", "completed", "cancelled", "failed"]


class FileToAttach(Request):
    """A file, and how it is to be searched."""

    file_id: ResourceId = Field(min_length=1, description="The id of a file that was uploaded.")
    attributes: Attributes | None = Field(
        None,
        description="What `filters` of a search compare: at most 16, texts of at most 512 characters, numbers or"
        " booleans. By default, none.",
    )
    chunking_strategy: ChunkingStrategy | None = Field(None, description="How it is cut. The default is `auto`.")


class AttachFileRequest(FileToAttach, VectorStoreRequest):
    """A file that a store is to have. It is indexed in the background."""

    model_config = example(file_id="file-abc123", attributes={"year": 2026, "draft": False, "team": "support"})


class AttachedFileRequest(VectorStoreRequest):
    """Which file of which store."""

    file_id: ResourceId = Field(min_length=1, description="The file's id.")


class ListAttachedFilesRequest(PageRequest, VectorStoreRequest):
    """Which files of which store."""

    filter: AttachedFileStatus | None = Field(None, description="Only files that are so far. By default, all.")


class UpdateAttributesRequest(AttachedFileRequest):
    """What searches are to compare from now on."""

    model_config = example(attributes={"year": 2027, "draft": False})

    attributes: Attributes | None = Field(description="Takes the place of all its attributes; null for none.")


class ReadAttachedFileRequest(AttachedFileRequest):
    """Which chunks of which file, and what of them."""

    include_embeddings: bool = Field(
        False, description="Whether each chunk comes with its vector. Not one of OpenAI's fields. The default is false."
    )
    include_metadata: bool = Field(
        False,
        description="Whether each chunk comes with `metadata` and `chunk_metadata`. Not one of OpenAI's fields. The"
        " default is false.",
    )
    limit: int = Field(
        MAX_CONTENT_CHUNKS,
        ge=1,
        le=MAX_CONTENT_CHUNKS,
        description="The most chunks of a page. Not one of OpenAI's fields. The default is 10000.",
    )
    page: str | None = Field(
        None,
        max_length=64,
        description="The `next_page` of the page before this one. Not one of OpenAI's fields. By default, the file"
        " begins.",
    )


class AttachedFileError(Response):
    """Why a file is not searched."""

    code: Literal["server_error", "unsupported_file", "invalid_file", "rate_limit_exceeded"] = Field(
        description="`invalid_file`: it cannot be read, or has no text. `unsupported_file`: nothing here reads its"
        " kind. `rate_limit_exceeded`: a model or database was busy for too long. `server_error`: all else."
    )
    message: str = Field(description="What happened, and what to do.")


class IngestionReport(Response):
    """What became of a file."""

    pages: int | None = Field(None, description="The pages that were read; null for a kind of file without pages.")
    chunks: int = Field(0, description="The chunks that searches find.")
    skipped: int = Field(0, description="The parts that were left out, such as pages without text.")
    why: list[str] = Field(default_factory=list, description="Why parts were left out, each reason once.")
    seconds: dict[str, float] = Field(
        default_factory=dict,
        description="How long it took, in seconds, by stage: `read`, `process`, `context`, `embed`, `store`.",
    )


class OtherChunking(Response):
    """A way of cutting that is not known: chunks that were inserted as they are."""

    type: Literal["other"] = "other"


class AttachedFile(Response):
    """A file of a vector store."""

    id: str = Field(description="The file's id, the same as in `files`.")
    object: Literal["vector_store.file"] = "vector_store.file"
    created_at: int = Field(description="When it was attached, in seconds since 1970.")
    vector_store_id: str = Field(description="The store.")
    usage_bytes: int = Field(0, description="What its chunks take up, in bytes.")
    status: AttachedFileStatus = Field(
        description="`completed` when all of it can be found; until then, and otherwise, none of it is. A file that is"
        " attached again is found as it was until the new attempt has succeeded; if that fails or is cancelled, it is"
        " `completed` as before, with the attributes and chunks that it had. The files of a batch have the status of"
        " its own attempt."
    )
    last_error: AttachedFileError | None = Field(
        None,
        description="Why the last attempt failed; null unless it did. With `completed`, the file was attached again in"
        " vain.",
    )
    attributes: dict[str, AttributeValue] | None = Field(None, description="What `filters` of a search compare.")
    chunking_strategy: Annotated[
        AutoChunking | StaticChunking | ContextualChunking | OtherChunking, Field(discriminator="type")
    ] = Field(description="How it is cut; once that is done, `static` with the sizes where `auto` was asked for.")
    report: IngestionReport | None = Field(
        None, description="What became of it; null until it ends. Not one of OpenAI's fields."
    )
    is_stored: bool | None = Field(
        None,
        description="Whether the file itself is still there. One that was deleted is found by what it said until it is"
        " detached. Null in lists, and where that cannot be told. Not one of OpenAI's fields.",
    )


class AttachedFileList(Page):
    """One page of the files of a store or batch."""

    data: list[AttachedFile] = Field(description="The files, in the order that was asked for.")


class AttachedFileDeleted(Deleted):
    """A file that the store has no more. The file itself is kept."""

    object: Literal["vector_store.file.deleted"] = "vector_store.file.deleted"


class ContentText(Response):
    """What a chunk says."""

    type: Literal["text"] = "text"
    text: str = Field(description="The text.")


def _asked_for(what: str) -> Any:
    """A field that OpenAI's content does not have: not even as null."""
    text = f"{what}; left out unless asked for. Not one of OpenAI's fields."
    return Field(None, exclude_if=lambda given: given is None, description=text)


class FileChunk(ContentText):
    """A chunk of a file."""

    embedding: list[float] | None = _asked_for("Its vector")
    metadata: dict[str, Any] | None = _asked_for("What may be shown to a model, such as `headings` and `page_number`")
    chunk_metadata: ChunkMetadata | None = _asked_for("Where it comes from")


class AttachedFileContent(Response):
    """The chunks of a file, in its order."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[FileChunk] = Field(description="The chunks.")
    has_more: bool = Field(False, description="Whether another page follows.")
    next_page: str | None = Field(None, description="The `page` to ask for then; null on the last page.")
