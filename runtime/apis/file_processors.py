"""Files read and cut into chunks, ready for a vector store."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._api import Api, route
from runtime.apis._carriers import Upload
from runtime.apis._chunks import AutoChunking, Chunk, StaticChunking
from runtime.apis._request import Request, Response

MAX_FORM_BYTES = 256 * 1024 * 1024


class ProcessFileRequest(Request):
    """A file to process: sent along, or stored before. Exactly one of `file` and `file_id`."""

    file: Upload | None = Field(None, description="The file itself. By default, a stored one is processed.")
    file_id: str | None = Field(None, description="The id of a stored file. By default, the file is sent along.")
    options: dict[str, Any] | None = Field(
        None,
        description="What to read: `page_range` (`[1, 3]` or `1-3,7`), `extract_metadata`, `clean_text`; a remote"
        " provider's own options too. By default, as in the provider's config.",
    )
    chunking_strategy: AutoChunking | StaticChunking | None = Field(
        None, discriminator="type", description="How to cut the text. By default, it is one chunk."
    )

    @model_validator(mode="after")
    def _has_one_file(self) -> ProcessFileRequest:
        if (self.file is None) == (self.file_id is None):
            raise PydanticCustomError("one_file", "exactly one of `file` and `file_id` must be given")
        return self


class ProcessFileResponse(Response):
    """The chunks of a file."""

    chunks: list[Chunk] = Field(description="In the order of the document; at least one.")
    metadata: dict[str, Any] = Field(
        description="What is known of the file and the run: `processor`, `extraction_method`, `processing_time_ms`,"
        " `file_size_bytes`, `page_count`, title and author."
    )


class FileProcessors(Protocol):
    @route(
        "POST",
        "/v1alpha/file-processors/process",
        body="form",
        limit_bytes=MAX_FORM_BYTES,
    )
    async def process_file(self, request: ProcessFileRequest) -> ProcessFileResponse:
        """Read a file and cut it into chunks.

        A document that cannot be read is a 400 with the reason and one of the codes `invalid_document`,
        `encrypted_document`, `unsupported_document` and `document_over_limit`.
        """
        ...


API = Api("file_processors", FileProcessors)
