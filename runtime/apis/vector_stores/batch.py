"""Many files that are attached to a vector store at once.

https://platform.openai.com/docs/api-reference/vector-stores-file-batches/batch-object
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._chunks import ChunkingStrategy
from runtime.apis._metadata import Attributes
from runtime.apis._names import NamedResource, ResourceId
from runtime.apis._request import Response, example
from runtime.apis.vector_stores.attached_file import AttachedFileStatus, FileToAttach, ListAttachedFilesRequest
from runtime.apis.vector_stores.store import FileCounts, VectorStoreRequest

MAX_BATCH_FILES = 2000


class CreateFileBatchRequest(VectorStoreRequest):
    """The files to attach: exactly one of `file_ids` and `files`. They are indexed in the background."""

    model_config = example(files=[{"file_id": "file-abc123", "attributes": {"year": 2026}}, {"file_id": "file-def456"}])

    file_ids: list[NamedResource] | None = Field(
        None, min_length=1, max_length=MAX_BATCH_FILES, description="Their ids, at most 2000. By default, see `files`."
    )
    files: list[FileToAttach] | None = Field(
        None,
        min_length=1,
        max_length=MAX_BATCH_FILES,
        description="Files that each have attributes and a way of being cut, at most 2000. By default, see `file_ids`.",
    )
    attributes: Attributes | None = Field(
        None, description="Those of each file of `file_ids`; those of `files` have their own. By default, none."
    )
    chunking_strategy: ChunkingStrategy | None = Field(
        None, description="How each file of `file_ids` is cut; those of `files` say it. The default is `auto`."
    )

    @model_validator(mode="after")
    def _names_each_file_once(self) -> CreateFileBatchRequest:
        if (self.file_ids is None) == (self.files is None):
            inside = "file_ids" if self.files is None else "files"
            message = "exactly one of `file_ids` and `files` must be given"
            raise PydanticCustomError("one_list", message, {"inside": inside})
        seen: set[str] = set()
        for place, file_id in enumerate(self.file_ids or [one.file_id for one in self.files or ()]):
            if file_id in seen:
                inside = f"file_ids[{place}]" if self.file_ids else f"files[{place}].file_id"
                facts = {"file_id": file_id, "inside": inside}
                raise PydanticCustomError("file_twice", "the file `{file_id}` is there twice", facts)
            seen.add(file_id)
        return self

    def to_attach(self) -> list[FileToAttach]:
        """Each file with what is said about it, in either form."""
        if self.files is not None:
            return self.files
        return [
            FileToAttach(file_id=file_id, attributes=self.attributes, chunking_strategy=self.chunking_strategy)
            for file_id in self.file_ids or ()
        ]


class FileBatchRequest(VectorStoreRequest):
    """Which batch of which store."""

    batch_id: ResourceId = Field(min_length=1, description="The batch's id.")


class ListBatchFilesRequest(ListAttachedFilesRequest, FileBatchRequest):
    """Which files of which batch."""


class FileBatch(Response):
    """Files that are attached together."""

    id: str = Field(description="By which it is asked for.")
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: int = Field(description="When it was created, in seconds since 1970.")
    vector_store_id: str = Field(description="The store.")
    status: AttachedFileStatus = Field(
        description="`in_progress` until each file has ended; then `completed` if one could be indexed, even if others"
        " could not, `failed` if none could, and `cancelled` if it, or each of its files, was given up."
    )
    file_counts: FileCounts = Field(
        description="How far its files are; what became of them in this batch, also where they were attached again"
        " since. Files that the store no longer has are not counted."
    )
