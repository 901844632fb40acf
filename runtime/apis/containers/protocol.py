"""The operations of the API `containers`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import inner, route
from runtime.apis._carriers import Download
from runtime.apis.containers.container import (
    Container,
    ContainerDeleted,
    ContainerList,
    ContainerRequest,
    CreateContainerRequest,
    ListContainersRequest,
)
from runtime.apis.containers.container_file import (
    AddContainerFileRequest,
    ContainerFile,
    ContainerFileDeleted,
    ContainerFileList,
    ContainerFileRequest,
    ListContainerFilesRequest,
)
from runtime.apis.containers.limits import MAX_FILE_BYTES
from runtime.apis.containers.running import BringFilesRequest, CodeRun, FilesThere, RunCodeRequest
from runtime.errors import NotSupported, RangeNotSatisfiable, Unavailable
from runtime.sse import Reply

_FORM_BYTES = 2 * 1024**2
"""For what a form has beside its file."""


class Containers(Protocol):
    """A caller's own containers and those of users with whom the caller shares a group; any other is a 404. One that
    has expired can be looked at, and is a 400 where it would have to run something.
    """

    @route("POST", "/v1/containers", aliases=("/v1alpha/containers",), raises=(NotSupported, Unavailable))
    async def create_container(self, request: CreateContainerRequest) -> Container:
        """Make a container. 501 where this host cannot keep its code apart."""
        ...

    @route("GET", "/v1/containers", aliases=("/v1alpha/containers",), returns=ContainerList, raises=(Unavailable,))
    async def list_containers(self, request: ListContainersRequest) -> Reply:
        """The containers, the newest first."""
        ...

    @route(
        "GET", "/v1/containers/{container_id}", aliases=("/v1alpha/containers/{container_id}",), raises=(Unavailable,)
    )
    async def get_container(self, request: ContainerRequest) -> Container:
        """One container. 404 for an unknown one."""
        ...

    @route(
        "DELETE",
        "/v1/containers/{container_id}",
        aliases=("/v1alpha/containers/{container_id}",),
        raises=(Unavailable,),
    )
    async def delete_container(self, request: ContainerRequest) -> ContainerDeleted:
        """End what runs in a container, and remove its files. 404 for an unknown one."""
        ...

    @route(
        "POST",
        "/v1/containers/{container_id}/files",
        aliases=("/v1alpha/containers/{container_id}/files",),
        body="form",
        limit_bytes=MAX_FILE_BYTES + _FORM_BYTES,
        raises=(NotSupported, Unavailable),
    )
    async def add_container_file(self, request: AddContainerFileRequest) -> ContainerFile:
        """Put a file into a container. 413 for one that is too large."""
        ...

    @route(
        "GET",
        "/v1/containers/{container_id}/files",
        aliases=("/v1alpha/containers/{container_id}/files",),
        returns=ContainerFileList,
        raises=(Unavailable,),
    )
    async def list_container_files(self, request: ListContainerFilesRequest) -> Reply:
        """The files of a container."""
        ...

    @route(
        "GET",
        "/v1/containers/{container_id}/files/{file_id}",
        aliases=("/v1alpha/containers/{container_id}/files/{file_id}",),
        raises=(Unavailable,),
    )
    async def get_container_file(self, request: ContainerFileRequest) -> ContainerFile:
        """One file of a container. 404 for an unknown one."""
        ...

    @route(
        "GET",
        "/v1/containers/{container_id}/files/{file_id}/content",
        aliases=("/v1alpha/containers/{container_id}/files/{file_id}/content",),
        raises=(RangeNotSatisfiable, Unavailable),
    )
    async def read_container_file(self, request: ContainerFileRequest) -> Download:
        """The bytes of a file of a container, or one range of them. 404 for an unknown file."""
        ...

    @route(
        "DELETE",
        "/v1/containers/{container_id}/files/{file_id}",
        aliases=("/v1alpha/containers/{container_id}/files/{file_id}",),
        raises=(Unavailable,),
    )
    async def delete_container_file(self, request: ContainerFileRequest) -> ContainerFileDeleted:
        """Remove a file of a container. 404 for an unknown one."""
        ...

    @inner()
    async def bring_files(self, request: BringFilesRequest) -> FilesThere:
        """Have files in a container. Raises as `add_container_file` does."""
        ...

    @inner()
    async def run_code(self, request: RunCodeRequest) -> CodeRun:
        """Run Python in a container. Raises NotFound, RequestError for one that has expired, Unavailable."""
        ...
