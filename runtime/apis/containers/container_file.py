"""The files of a container: https://platform.openai.com/docs/api-reference/container-files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._carriers import Upload
from runtime.apis._names import NamedResource, ResourceId
from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import Deleted, Response
from runtime.apis.containers.container import ContainerRequest

FOLDER = "/mnt/data"
"""Where a container's files are, in it."""


class AddContainerFileRequest(ContainerRequest):
    """A file to put into a container."""

    file: Upload | None = Field(None, description="The file. Default: the one of `file_id`.")
    file_id: NamedResource | None = Field(None, description="A file of this server's, to copy. Default: none.")

    @model_validator(mode="after")
    def _is_one(self) -> AddContainerFileRequest:
        if (self.file is None) == (self.file_id is None):
            raise PydanticCustomError("container_file", "needs either `file` or `file_id`")
        return self


class ListContainerFilesRequest(ContainerRequest, PageRequest):
    """Which files of a container."""


class ContainerFileRequest(ContainerRequest):
    """Which file of a container."""

    file_id: ResourceId = Field(min_length=1, description="The file's id.")


class ContainerFile(Response):
    """A file of a container."""

    id: str = Field(description="By which it is read.")
    object: Literal["container.file"] = "container.file"
    container_id: str = Field(description="The container that has it.")
    created_at: int = Field(description="When it was put there or first seen, in seconds since 1970.")
    bytes: int = Field(description="Its size, in bytes.")
    path: str = Field(description=f"Where it is in the container, below `{FOLDER}`.")
    source: Literal["user", "assistant"] = Field(
        description="Who made it: `user` who put it there, or `assistant`, whose code did."
    )


class ContainerFileList(Page):
    """The files of a container."""

    data: list[ContainerFile] = Field(description="The files.")


class ContainerFileDeleted(Deleted):
    """A file of a container that was deleted."""

    object: Literal["container.file.deleted"] = "container.file.deleted"
