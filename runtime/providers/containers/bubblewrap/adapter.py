"""Containers of this machine: rows, a folder for each, and a process where code runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable
from contextlib import aclosing
from pathlib import Path

from runtime.apis._carriers import Download
from runtime.apis._paging import json_page
from runtime.apis.containers.container import (
    Container,
    ContainerDeleted,
    ContainerRequest,
    CreateContainerRequest,
    ListContainersRequest,
)
from runtime.apis.containers.container_file import (
    AddContainerFileRequest,
    ContainerFile,
    ContainerFileDeleted,
    ContainerFileRequest,
    ListContainerFilesRequest,
)
from runtime.apis.containers.running import BringFilesRequest, CodeRun, FilesThere, RunCodeRequest
from runtime.apis.files.file import FileRequest
from runtime.apis.files.protocol import Files
from runtime.apis.providers.protocol import ProviderHealth
from runtime.errors import NotFound, NotSupported, StackError, Unavailable
from runtime.provider import ProviderContext, healthy
from runtime.providers.containers.bubblewrap.config import BubblewrapConfig
from runtime.providers.containers.bubblewrap.files import ContainerFiles, file_of, shown_file
from runtime.providers.containers.bubblewrap.folder import Folder
from runtime.providers.containers.bubblewrap.kept_containers import KeptContainers, container_of, memory_bytes, shown
from runtime.providers.containers.bubblewrap.processes import Processes
from runtime.providers.containers.bubblewrap.running import Running
from runtime.providers.containers.bubblewrap.tables import CONTAINERS, FILES, SCHEMA
from runtime.sse import Reply
from runtime.storage.sql import ALL, Row, eq
from runtime.storage.sql.paging import read_page
from runtime.to_the_end import to_the_end

log = logging.getLogger(__name__)
_SWEEP_EVERY_S = 30.0


class BubblewrapContainers:
    """Implements `Containers`."""

    def __init__(self, config: BubblewrapConfig, context: ProviderContext) -> None:
        self._files_api = context.optional_api(Files)  # type: ignore[type-abstract]
        self._tasks = context.tasks
        self._store = context.storage.sql(config.metadata_store or "containers", SCHEMA)
        self._folders = context.state_dir / "containers"
        self._kept = KeptContainers(config, self._store)
        self._files = ContainerFiles(config, self._store)
        self._processes = Processes(most=config.max_running, wait_s=config.wait_s, idle_s=config.idle_s)
        self._running = Running(config, context.state_dir, context.tasks, self._files, self._processes)

    async def start(self) -> None:
        self._tasks.spawn(self._sweep(), name="remove expired containers")

    async def stop(self) -> None:
        await self._processes.stop()

    async def check_health(self) -> ProviderHealth:
        """Whether code can be kept apart here, as far as is known before the first container. A host that cannot is no
        outage: nothing is down, and everybody else works.
        """
        trouble = self._running.isolating.trouble()
        return healthy(message=f"no container can be made: {trouble}" if trouble else None)

    async def create_container(self, request: CreateContainerRequest) -> Container:
        """Raises NotSupported where this host cannot isolate, or for what this provider does not have; RequestError for
        more memory than may be, NotFound for a file that is not there, TooLarge, Unavailable.
        """
        await self._running.isolating.found()
        row = await self._kept.create(request)
        try:
            await self._running.prepare(self._folder(row["id"]))
            for place, file_id in enumerate(request.file_ids or ()):
                await self._copy(row, file_id, param=f"file_ids[{place}]")
        except BaseException:
            await to_the_end(self.delete_container(ContainerRequest(container_id=row["id"])))
            raise
        return container_of(row)

    async def list_containers(self, request: ListContainersRequest) -> Reply:
        """Raises RequestError for a cursor that is none, Unavailable."""
        named = ALL if request.name is None else eq("name", request.name)
        rows, has_more = await read_page(self._kept.mine(), CONTAINERS, request, where=named, what="container")
        return json_page([shown(row) for row in rows], [row["id"] for row in rows], has_more=has_more)

    async def get_container(self, request: ContainerRequest) -> Container:
        """Raises NotFound, Unavailable."""
        return container_of(await self._kept.row(request.container_id))

    async def delete_container(self, request: ContainerRequest) -> ContainerDeleted:
        """Raises NotFound, Unavailable."""
        await self._kept.delete(request.container_id)
        await self._remove(request.container_id)
        return ContainerDeleted(id=request.container_id)

    async def add_container_file(self, request: AddContainerFileRequest) -> ContainerFile:
        """Raises NotFound, RequestError for a container that has expired, TooLarge, Conflict where a folder has the
        file's name, NotSupported for a copy where there are no files to copy, Unavailable.
        """
        row = await self._kept.used(request.container_id)
        if request.file is None:
            return file_of(await self._copy(row, request.file_id or ""))
        upload = request.file
        return file_of(await self._add(row, upload, filename=upload.filename, least_bytes=upload.least_bytes))

    async def list_container_files(self, request: ListContainerFilesRequest) -> Reply:
        """Raises NotFound, RequestError for a cursor that is none, Unavailable."""
        await self._kept.row(request.container_id)
        within = eq("container_id", request.container_id)
        rows, has_more = await read_page(self._store, FILES, request, within=within, what="file of this container")
        return json_page([shown_file(row) for row in rows], [row["id"] for row in rows], has_more=has_more)

    async def get_container_file(self, request: ContainerFileRequest) -> ContainerFile:
        """Raises NotFound, Unavailable."""
        await self._kept.row(request.container_id)
        return file_of(await self._files.row(request.container_id, request.file_id))

    async def read_container_file(self, request: ContainerFileRequest) -> Download:
        """Raises NotFound, RequestError for a closed file or an expired container, Unavailable."""
        await self._kept.used(request.container_id)
        row = await self._files.row(request.container_id, request.file_id)
        return await self._files.download(await self._here(request.container_id), row)

    async def delete_container_file(self, request: ContainerFileRequest) -> ContainerFileDeleted:
        """Raises NotFound, RequestError for a container that has expired, Unavailable."""
        await self._kept.used(request.container_id)
        row = await self._files.row(request.container_id, request.file_id)
        await self._files.remove(await self._here(request.container_id), row)
        return ContainerFileDeleted(id=request.file_id)

    async def run_code(self, request: RunCodeRequest) -> CodeRun:
        """Raises NotFound, RequestError for a container that has expired, RateLimited, NotSupported, Unavailable."""
        row = await self._kept.used(request.container_id)
        folder = await self._here(row["id"])
        limit = memory_bytes(row["memory_limit"])
        run = await self._running.run(row["id"], folder, request.code, request.timeout_s, memory_bytes=limit)
        await self._kept.touch(row)
        return run

    async def bring_files(self, request: BringFilesRequest) -> FilesThere:
        """Raises as `add_container_file` does."""
        container_id = request.container_id
        row = await (self._kept.used(container_id) if request.file_ids else self._kept.row(container_id))
        await self._here(container_id)
        if request.file_ids:
            there = {one["copied_from"] for one in await self._files.all(container_id)}
            for place, file_id in enumerate(dict.fromkeys(request.file_ids)):
                if file_id not in there:
                    await self._copy(row, file_id, param=f"file_ids[{place}]")
        return FilesThere(data=[file_of(one) for one in await self._files.all(container_id)])

    def _folder(self, container_id: str) -> Folder:
        return Folder(self._folders / container_id)

    async def _here(self, container_id: str) -> Folder:
        """The folder of a container. Raises Unavailable where it is on another server, whose container this is."""
        folder = self._folder(container_id)
        if not await asyncio.to_thread(folder.exists):
            raise Unavailable(
                f"The container `{container_id}` is not on this server",
                hint="another server of the same database made it: ask that one, or make another container",
                code="container_elsewhere",
            )
        return folder

    async def _copy(self, row: Row, file_id: str, *, param: str = "file_id") -> Row:
        """Put a file of the Files API into a container."""
        if self._files_api is None:
            raise NotSupported(f"`{param}` names a file, and this server keeps none", param=param)
        asked = FileRequest(file_id=file_id)
        try:
            about = await self._files_api.get_file(asked)
        except NotFound as error:
            raise error.saying(error.message, param=param) from error
        content = await self._files_api.read_file(asked)
        async with aclosing(content.read(0, content.size_bytes)) as chunks:  # type: ignore[type-var]  # generators are
            file = await self._add(row, chunks, filename=about.filename, least_bytes=content.size_bytes)
        await self._files.came_from(file, file_id)
        return file

    async def _add(self, row: Row, content: AsyncIterable[bytes], *, filename: str, least_bytes: int) -> Row:
        folder = await self._here(row["id"])
        return await self._files.add(row["id"], folder, content, filename=filename, least_bytes=least_bytes)

    async def _remove(self, container_id: str) -> None:
        """End what runs in it, and remove what it has on disk."""
        await self._processes.end(container_id)
        await self._kept.forget_files(container_id)
        folder = self._folder(container_id)
        if folder.exists():
            await asyncio.to_thread(folder.destroy)

    async def _sweep(self) -> None:
        """Remove what has expired; while the tables cannot be read, the next time again."""
        trouble = ""
        while True:
            try:
                await self.sweep_now()
                trouble = ""
            except (StackError, OSError) as error:
                if str(error) != trouble:
                    log.warning("expired containers are not removed", extra={"error": str(error)})
                trouble = str(error)
            await asyncio.sleep(_SWEEP_EVERY_S)

    async def sweep_now(self) -> None:
        """End idle processes; remove every folder whose container has expired or is not there. One that cannot be
        removed keeps no other: its OSError is raised at the end. Raises Unavailable.
        """
        await self._processes.end_idle()
        there = await asyncio.to_thread(_names, self._folders)
        alive = await self._kept.alive(there)
        failure: OSError | None = None
        for container_id in there:
            if container_id not in alive and not self._processes.is_used(container_id):
                try:
                    await self._remove(container_id)
                except OSError as error:
                    failure = error
        if failure is not None:
            raise failure


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
